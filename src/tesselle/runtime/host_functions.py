"""Functions of this process that a program calls: found by name when it is loaded, run when its calls come to them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from tesselle.artifact.schema import HostFunctionRecord
from tesselle.artifact.vm_isa import DTYPES_BY_CODE
from tesselle.runtime import _native
from tesselle.support.custom_calls import (
    Array,
    ArraySpec,
    CustomCall,
    HostFunction,
    host_function,
    how_to_register,
    run_host_call,
)
from tesselle.support.diagnostics import ArtifactError, ExecutionError

_Tensor = tuple[_native.Buffer, int, list[int]]
"""Bytes, the code of the element type, the shape."""


@dataclass(frozen=True, slots=True)
class _Bound:
    call: CustomCall
    function: HostFunction
    location: str


class HostFunctions:
    """The functions behind a program's custom calls, by their number in the manifest."""

    def __init__(
        self, records: Sequence[HostFunctionRecord], given: Mapping[str, HostFunction], program_name: str
    ) -> None:
        """Look every target up: in `given`, then among those registered. ArtifactError for one that is nowhere."""
        bound: list[_Bound] = []
        for record in records:
            function = given.get(record.target) or host_function(record.target)
            if function is None:
                place = f" (at {record.location})" if record.location else ""
                raise ArtifactError(
                    f"{program_name}: calls @{record.target}{place}, which is not registered:"
                    f" {how_to_register(record.target)}"
                )
            bound.append(_Bound(CustomCall.from_json(record.target, record.config), function, record.location))
        self._bound = tuple(bound)

    def __len__(self) -> int:
        return len(self._bound)

    def __call__(self, index: int, arguments: Sequence[_Tensor], results: Sequence[_Tensor]) -> str | None:
        """Run function `index` and copy what it gives into `results`; the text of the failure, or None."""
        bound = self._bound[index]
        specs = tuple(ArraySpec(DTYPES_BY_CODE[code], tuple(shape)) for _, code, shape in results)
        try:
            values = run_host_call(replace(bound.call, results=specs), bound.function, [_array(t) for t in arguments])
            for value, target in zip(values, results, strict=True):
                np.copyto(_array(target), value)
        except ExecutionError as error:
            place = f" (the call is at {bound.location})" if bound.location else ""
            return f"{error.diagnostics[0].message}{place}{_where(error.__cause__)}"
        return None


def _array(tensor: _Tensor) -> Array:
    data, code, shape = tensor
    return np.ndarray(shape, DTYPES_BY_CODE[code].numpy, cast(Any, data))  # NumPy's own stub lacks the protocol


def _where(cause: BaseException | None) -> str:
    """The line of the function that raised: the exception itself does not travel through the program."""
    frames: list[Any] = traceback.extract_tb(cause.__traceback__) if cause is not None else []
    return f", in {frames[-1].name} at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
