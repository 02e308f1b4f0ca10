"""From operations of VHLO, of every version, to StableHLO's.

`vhlo.NAME_vN` becomes `stablehlo.NAME`. Its attributes are those of the declaration of that operation, with two general
differences: attributes with fields are spelled out, field by field, and all are always there, with values that say
"absent". What goes beyond is in the tables below. Source: VhloOps.td, VhloToVersion.cpp, VhloLegalizeToStablehlo.cpp.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import tesselle.dialects.stablehlo  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it declares the operations
from tesselle.dialects.core import func
from tesselle.dialects.stablehlo.attributes import (
    ChannelHandle,
    ComparisonType,
    ConvDimensionNumbers,
    DotAlgorithm,
    DotDimensionNumbers,
    GatherDimensionNumbers,
    Precision,
    ResultAccuracy,
    ScatterDimensionNumbers,
)
from tesselle.dialects.stablehlo.control_flow import ReturnOp
from tesselle.ir.attributes import DenseElements, IntegerAttr
from tesselle.ir.core import Op
from tesselle.ir.declare import OPS, spec_of
from tesselle.ir.text.codec import DecodeError
from tesselle.ir.types import Type
from tesselle.ir.upgrade import UPGRADES, Upgrade

_RENAMED = {"func": "func.func", "call": "func.call", "return": "stablehlo.return"}
"""Operations that become others than `stablehlo.NAME`."""

_STRUCTS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "algorithm": (DotAlgorithm, ()),
    "channel_handle": (ChannelHandle, ("channel_id", "channel_type")),
    "dimension_numbers": (ConvDimensionNumbers, ()),
    "dot_dimension_numbers": (DotDimensionNumbers, ()),
    "scatter_dimension_numbers": (ScatterDimensionNumbers, ()),
}
"""Attributes with fields that VHLO spells out, and the names of the fields where they are not those of the class."""

_BATCHING = "operand_batching_dims start_indices_batching_dims"
_MISSING: dict[str, str] = {
    "all_gather": "channel_type",
    "all_reduce": "channel_type",
    "all_to_all": "channel_type",
    "collective_broadcast": "channel_type",
    "collective_permute": "channel_type",
    "reduce_scatter": "channel_type",
    "collective_permute_v2": "channel_type",
    "dot_general_v1": " ".join(f.name for f in dataclasses.fields(DotAlgorithm)),
    "dynamic_gather_v1": _BATCHING,
    "gather_v1": _BATCHING,
    "recv_v1": "source_target_pairs",
    "scatter_v1": "input_batching_dims scatter_indices_batching_dims",
    "send_v1": "source_target_pairs",
    **{
        f"{name}_v1": "result_accuracy"
        for name in (
            "cbrt cosine exponential exponential_minus_one log log_plus_one logistic rsqrt sine sqrt tan tanh".split()
        )
    },
}
"""What operations, in one version or in all of them, do not have yet."""

_EXTRA: dict[str, str] = {"dynamic_conv_v1": "padding"}
"""What operations once had besides."""


@cache
def find(name: str) -> Upgrade | None:
    """The upgrade of `vhlo.NAME_vN`; None when there is no such operation."""
    m = re.fullmatch(r"vhlo\.([\w-]+)_v(\d+)", name)
    if m is None:
        return None
    cls = OPS.get(_RENAMED.get(m[1], f"stablehlo.{m[1]}"))
    if cls is None:
        return None
    missing = f"{_MISSING.get(m[1], '')} {_MISSING.get(f'{m[1]}_v{m[2]}', '')}".split()
    extra = _EXTRA.get(f"{m[1]}_v{m[2]}", "").split()
    names: list[str] = []
    structs: list[tuple[str, type[Any], dict[str, str]]] = []
    for f in spec_of(cls).attributes:
        struct = _struct(m[1], f.attr_name)
        if struct is None:
            names.append(f.attr_name)
            continue
        kind, renamed = struct
        fields = [field.name for field in dataclasses.fields(kind)]
        spelled = dict(zip(fields, renamed or fields, strict=True))
        spelled = {field: spelling for field, spelling in spelled.items() if spelling not in missing}
        names += spelled.values()
        if spelled:
            structs.append((f.attr_name, kind, spelled))
    names = [n for n in names if n not in missing] + extra
    return Upgrade(
        cls,
        tuple(names),
        partial(_attributes, cls, structs, tuple(extra)),
        _finish_function if cls is func.FuncOp else None,
    )


def _struct(op: str, attribute: str) -> tuple[type[Any], tuple[str, ...]] | None:
    if attribute == "dimension_numbers" and "gather" in op:
        return GatherDimensionNumbers, ()
    return _STRUCTS.get(attribute)


def _attributes(
    cls: type[Op],
    structs: Sequence[tuple[str, type[Any], Mapping[str, str]]],
    dropped: Sequence[str],
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    """The attributes of `cls` from those of an operation of VHLO."""
    found = {name: value for name, value in attributes.items() if name not in dropped}
    for name, kind, spelled in structs:
        parts = {field: found.pop(spelling, None) for field, spelling in spelled.items()}
        if all(value is None for value in parts.values()):
            continue
        value = _STRUCT_READERS.get(kind, _dimension_numbers)(kind, parts)
        if value is not None:
            found[name] = value
    defaults = {f.attr_name for f in spec_of(cls).attributes if f.has_default}
    return {name: value for name, value in found.items() if name not in defaults or not _says_absent(name, value)}


def _dimension_numbers(kind: type[Any], parts: Mapping[str, Any]) -> Any:
    return kind(
        **{name: _ints(value) if isinstance(value, DenseElements) else _int(value) for name, value in parts.items()}
    )


def _channel(kind: type[Any], parts: Mapping[str, Any]) -> Any:
    """A channel of number 0 is none."""
    handle, type_ = _int(parts["handle"]), _int(parts.get("type", 0))
    return kind(handle, type_) if handle or "type" in parts else None


def _algorithm(kind: type[Any], parts: Mapping[str, Any]) -> Any:
    """No algorithm is one without types."""
    if not isinstance(parts["lhs_precision_type"], Type) or str(parts["lhs_precision_type"]) == "none":
        return None
    return kind(
        **{
            name: str(value) if isinstance(value, Type) else value if isinstance(value, bool) else _int(value)
            for name, value in parts.items()
        }
    )


_STRUCT_READERS: dict[type[Any], Callable[[type[Any], Mapping[str, Any]], Any]] = {
    ChannelHandle: _channel,
    DotAlgorithm: _algorithm,
}


def _int(value: Any) -> int:
    if isinstance(value, IntegerAttr):
        return value.value
    if not isinstance(value, int):
        raise DecodeError(f"expected an integer, found {value}")
    return value


def _ints(value: DenseElements) -> tuple[int, ...]:
    if value.array.ndim != 1 or value.array.size > 1 << 16 or not value.type.dtype.is_integer:
        raise DecodeError(f"expected a list of integers, found {value}")
    return tuple(value.array.tolist())


_ZEROS = ("padding", "window_reversal")
_ONES = ("window_strides", "lhs_dilation", "rhs_dilation", "base_dilations", "window_dilations")


def _says_absent(name: str, value: Any) -> bool:
    """Whether the value of an optional attribute is what VHLO writes when it is absent."""
    if name in ("arg_attrs", "res_attrs") and isinstance(value, tuple):
        return not any(value)  # pyright: ignore[reportUnknownArgumentType]  # a list of dictionaries
    if isinstance(value, tuple):
        return all(v is Precision.DEFAULT for v in value)  # pyright: ignore[reportUnknownVariableType]  # of whatever
    if isinstance(value, str | dict):
        return not value
    if isinstance(value, DenseElements):
        if name in _ONES:
            return bool((value.array == 1).all())
        return not value.array.any() if name in _ZEROS else not value.array.size
    if value == ResultAccuracy() or value is ComparisonType.NOTYPE:
        return True
    return value is None


def _finish_function(op: Op) -> None:
    """VHLO has one return for functions and regions."""
    for block in op.regions[0].blocks:
        last = block.last
        if isinstance(last, ReturnOp):
            new = func.ReturnOp.build(last.operands, (), last.attributes, location=last.location)
            block.insert(new, last)
            last.erase()


UPGRADES["vhlo"] = find
