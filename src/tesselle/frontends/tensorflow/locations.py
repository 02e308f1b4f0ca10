"""Where an operation stands in the model: the node of TensorFlow's graph, and the function that it is in.

fused["MatMul:", "sequential/dense/MatMul@f0"]      ->      "sequential/dense/MatMul in serve"
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
from tesselle.support.locations import (
    UNKNOWN,
    CallSiteLocation,
    FileLocation,
    FusedLocation,
    Location,
    NameLocation,
)

_INNER = re.compile(r"(?:__inference_|__forward_|__backward_)?(.*?)(?:_\d+)?")


class Places:
    """`functions`: name of a function in the graph → what it is called by people."""

    def __init__(self, functions: Mapping[str, str]) -> None:
        self.functions = functions
        self._known: dict[Location, Location] = {}

    def improve(self, module: ModuleOp) -> None:
        """Give every operation the place that people know it by; never one in the text that TensorFlow wrote."""
        for op in module.body:
            inside = NameLocation(self._function(op.sym_name)) if isinstance(op, FuncOp) else UNKNOWN
            for inner in op.walk():
                inner.location = inside if isinstance(inner.location, FileLocation) else self.improved(inner.location)

    def improved(self, location: Location) -> Location:
        found = self._known.get(location)
        if found is None:
            found = self._known[location] = self._improved(location)
        return found

    def _improved(self, location: Location) -> Location:
        match location:
            case FusedLocation(parts):
                nodes = [p for p in parts if isinstance(p, NameLocation) and "@" in p.name]
                return self.improved(nodes[0]) if len(nodes) == 1 else FusedLocation(tuple(map(self.improved, parts)))
            case CallSiteLocation(callee, caller):
                return CallSiteLocation(self.improved(callee), self.improved(caller))
            case NameLocation(name, child) if "@" in name:
                node, _, function = name.rpartition("@")
                return NameLocation(f"{node} in {self._function(function)}", child)
            case _:
                return location

    def _function(self, name: str) -> str:
        # The importer puts a zero behind the name of a function.
        known = self.functions.get(name) or self.functions.get(name.removesuffix("0"))
        if known is None:
            inner = _INNER.fullmatch(name)
            known = inner[1] if inner is not None and inner[1] else name
        return known
