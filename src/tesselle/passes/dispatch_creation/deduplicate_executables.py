"""deduplicate-executables: executables that compute the same become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from tesselle.dialects.core import builtin
from tesselle.dialects.flow import ops as flow
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass

_NAMES = frozenset(("sym_name", "function"))


@register_pass("deduplicate-executables", needs=[Fact.OUTLINED])
@dataclass(frozen=True)
class DeduplicateExecutables(Pass):
    """Keep one of each set of structurally equal executables. Names of symbols and values, and locations, do not count.

    flow.dispatch @main_dispatch_7_…(%x)  ->  flow.dispatch @main_dispatch_0_…(%x)
    """

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        kept: dict[Any, flow.ExecutableOp] = {}
        renamed: dict[str, str] = {}
        for op in list(module.body):
            if isinstance(op, flow.ExecutableOp):
                first = kept.setdefault(structural_key(op), op)
                if first is not op:
                    renamed[op.sym_name] = first.sym_name
                    op.erase()
        if not renamed:
            return
        for op in module.walk():
            if isinstance(op, flow.DispatchOp) and op.entry.root in renamed:
                name = renamed[op.entry.root]
                op.entry = SymbolRef(name, (name,))


def structural_key(op: Op) -> tuple[Any, ...]:
    """A hashable value that is equal for operations that differ in names and locations only."""
    return _Numbering().key(op)


class _Numbering:
    def __init__(self) -> None:
        self.values: dict[Value, int] = {}
        self.blocks: dict[Block, int] = {}

    def key(self, op: Op) -> tuple[Any, ...]:
        attributes = tuple(
            (k, _frozen(v)) for k, v in sorted(op.attributes.items(), key=lambda kv: kv[0]) if k not in _NAMES
        )
        operands = tuple(self.values[v] for v in op.operands)
        regions: list[Any] = []
        for region in op.regions:
            for block in region.blocks:
                self.blocks[block] = len(self.blocks)
                for arg in block.args:
                    self.values[arg] = len(self.values)
            regions.append(
                tuple(
                    (tuple(a.type for a in block.args), tuple(self.key(inner) for inner in block))
                    for block in region.blocks
                )
            )
        for r in op.results:
            self.values[r] = len(self.values)
        successors = tuple(self.blocks[b] for b in op.successors)
        return (op.name, operands, op.operand_segments, op.result_types, attributes, successors, tuple(regions))


def _frozen(value: Any) -> Any:
    """The attribute with dictionaries made hashable; 0.0 and -0.0, and equal numbers of other types, stay apart."""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value)
        return tuple((k, _frozen(v)) for k, v in sorted(items.items()))
    if isinstance(value, tuple):
        return tuple(_frozen(v) for v in cast("tuple[Any, ...]", value))
    if isinstance(value, float | complex | bool):
        return (type(value).__name__, repr(value))
    return value
