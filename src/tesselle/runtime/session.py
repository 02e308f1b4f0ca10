"""Sessions: what a program keeps between calls."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from tesselle.artifact.safetensors import read_safetensors, write_safetensors
from tesselle.artifact.schema import FunctionRecord, Manifest, TensorSpec, VariableRecord
from tesselle.artifact.vm_isa import DTYPE_CODES, DTYPES_BY_CODE
from tesselle.runtime import _native
from tesselle.runtime.arguments import Array, convert, with_buffer_protocol
from tesselle.runtime.function import Function, bind_function, find_record
from tesselle.support.diagnostics import InvocationError


class Session:
    """A program with variables of its own: `Program.new_session` makes one, `Program.session` is one.

    Calls of one session, and everything here that reads or replaces its variables, take effect one after another, in
    the order in which they were made, by whichever thread. Sessions are independent of one another. A program without
    variables has nothing to keep in order: its calls run side by side.

    A call that fails after it has begun to work may leave variables half changed. Where the function is one that
    updates variables, everything that follows raises SessionError, until `reset` or `load_state_dict` gives all of them
    new values. Wrong arguments are found before that, and harm nothing.
    """

    def __init__(self, native: _native.Session, manifest: Manifest, records: Mapping[str, FunctionRecord]) -> None:
        self.native = native
        self._manifest = manifest
        self._records = records
        self._functions: dict[str, Function] = {}
        self.variables: Mapping[str, VariableRecord] = MappingProxyType({v.name: v for v in manifest.variables})
        """Name → dtype and shape."""

    def __getitem__(self, name: str) -> Function:
        """The function called `name`; InvocationError when there is none."""
        function = self._functions.get(name)
        if function is None:
            record = find_record(self._records, name, self._manifest.module_name)
            function = self._functions[name] = bind_function(record, self.native)
        return function

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def state_dict(self) -> dict[str, Array]:
        """Name → value of every variable, as copies: what the calls before this left. SessionError after a failure."""
        values = self.native.get([v.vm_global for v in self.variables.values()])
        return {
            name: np.ndarray(tuple(shape), DTYPES_BY_CODE[code].numpy, cast(Any, data))
            for name, (data, code, shape) in zip(self.variables, values, strict=True)
        }

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> None:
        """Give variables the values in `state`, for the calls after this one. Values are copied.

        Values are what calls take as arguments, of the variable's dtype and shape. All are checked before the first is
        replaced. With `strict=False`, variables that `state` lacks keep their values, and names that are no variable's
        are passed over. InvocationError names the variable that is missing, unexpected or of another type.
        """
        if strict:
            _require_same_names(state, self.variables)
        values: list[tuple[str, Any, int, list[int]]] = []
        for name, record in self.variables.items():
            if name not in state:
                continue
            array = convert(TensorSpec("", record.dtype, record.shape), f"variable '{name}'", state[name])
            data = with_buffer_protocol(record.dtype, array)
            values.append((record.vm_global, data, DTYPE_CODES[record.dtype], list(array.shape)))
        self.native.set(values)

    def reset(self) -> None:
        """Run the program's initializer again, after the calls before this one. ExecutionError when it fails."""
        self.native.reset()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `state_dict()` to a safetensors file, which is replaced only when the whole is written.

        Elements that the format has no name for (complex<f64>, i4, …) are stored as bytes, with an axis more.
        """
        write_safetensors(Path(path), self.state_dict())

    def load(self, path: str | os.PathLike[str], *, strict: bool = True) -> None:
        """`load_state_dict` of a safetensors file: one of `save`, or of anybody else.

        ArtifactError for a file that is damaged or of another kind; InvocationError for one that does not suit the
        variables; OSError for one that cannot be opened.
        """
        state = read_safetensors(Path(path), {name: v.dtype for name, v in self.variables.items()})
        try:
            self.load_state_dict(state, strict=strict)
        except InvocationError as error:
            raise InvocationError(f"{path}: {error.diagnostics[0].message}") from None

    def __repr__(self) -> str:
        return f"<tesselle session of '{self._manifest.module_name}': {', '.join(self.variables) or 'no variables'}>"


def _require_same_names(state: Mapping[str, Any], variables: Mapping[str, VariableRecord]) -> None:
    for word, names in (("missing", set(variables) - set(state)), ("unexpected", set(state) - set(variables))):
        if names:
            listed = ", ".join(map(repr, sorted(map(str, names))))
            raise InvocationError(f"{word} {'variable' if len(names) == 1 else 'variables'} {listed}")
