"""The encodings of StableHLO's attributes and types. Source: StablehloBytecode.cpp, and what jaxlib 0.10 writes."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

from tesselle.dialects.stablehlo.attributes import (
    ChannelHandle,
    ComparisonDirection,
    ComparisonType,
    ConvDimensionNumbers,
    CustomCallApiVersion,
    DotAlgorithm,
    DotDimensionNumbers,
    FftType,
    GatherDimensionNumbers,
    OutputOperandAlias,
    Precision,
    ResultAccuracy,
    ResultAccuracyMode,
    RngAlgorithm,
    RngDistribution,
    ScatterDimensionNumbers,
    Transpose,
    TypeExtensions,
)
from tesselle.dialects.stablehlo.mesh import NAMED_MESH, AxisRef, Mesh, MeshAxis, SubAxisInfo, group_table
from tesselle.ir.attributes import DenseElements, SymbolRef
from tesselle.ir.bytecode.builtin import dims
from tesselle.ir.bytecode.entries import Entry
from tesselle.ir.bytecode.registry import ATTRIBUTE_READERS, TYPE_READERS, ReadAttribute
from tesselle.ir.types import FutureType, TokenType
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import F64
from tesselle.support.locations import ByteLocation

TRANSPOSES = (Transpose.TRANSPOSE_INVALID, Transpose.NO_TRANSPOSE, Transpose.TRANSPOSE, Transpose.ADJOINT)
DIRECTIONS = tuple(ComparisonDirection)
COMPARISONS = tuple(ComparisonType)
FFTS = tuple(FftType)
PRECISIONS = tuple(Precision)
ALGORITHMS = tuple(RngAlgorithm)
ACCURACIES = tuple(ResultAccuracyMode)
API_VERSIONS = tuple(CustomCallApiVersion)


def read_enum(members: tuple[enum.Enum | None, ...]) -> ReadAttribute:
    """A reader of enumerations that are written as an index into `members`."""

    def read(e: Entry) -> enum.Enum:
        at = e.pos
        index = e.varint()
        found = members[index] if index < len(members) else None
        if found is None:
            e.fail(f"there is no value {index} of an enumeration with {len(members)} members", at)
        return found

    return read


def _channel(e: Entry) -> ChannelHandle:
    handle = e.signed()
    return ChannelHandle(handle, e.signed())


def _convolution(e: Entry) -> ConvDimensionNumbers:
    one, several = e.signed, e.ints
    return ConvDimensionNumbers(one(), one(), several(), one(), one(), several(), one(), one(), several())


def _dot(e: Entry) -> DotDimensionNumbers:
    return DotDimensionNumbers(e.ints(), e.ints(), e.ints(), e.ints())


def _gather(e: Entry) -> GatherDimensionNumbers:
    return GatherDimensionNumbers(e.ints(), e.ints(), e.ints(), e.ints(), e.ints(), e.signed())


def _scatter(e: Entry) -> ScatterDimensionNumbers:
    return ScatterDimensionNumbers(e.ints(), e.ints(), e.ints(), e.ints(), e.ints(), e.signed())


def _algorithm(e: Entry) -> DotAlgorithm:
    lhs, rhs, accumulation = e.type(), e.type(), e.type()
    return DotAlgorithm(str(lhs), str(rhs), str(accumulation), e.signed(), e.signed(), e.signed(), bool(e.byte()))


def read_alias(e: Entry) -> OutputOperandAlias:
    return OutputOperandAlias(e.ints(), e.signed(), e.ints())


def read_accuracy(e: Entry) -> ResultAccuracy:
    atol, rtol, ulps = e.ap_float(F64), e.ap_float(F64), e.signed()
    at = e.pos
    mode = e.attribute()
    if not isinstance(mode, ResultAccuracyMode):
        e.fail(f"expected the mode of an accuracy, found {mode}", at)
    return ResultAccuracy(atol, rtol, ulps, mode)


def read_bounds(e: Entry) -> TypeExtensions:
    return TypeExtensions(dims(e))


def read_sub_axis(e: Entry) -> SubAxisInfo:
    return SubAxisInfo(e.signed(), e.signed())


def axis_ref(e: Entry, name: str, part: Any) -> AxisRef:
    if part is not None and not isinstance(part, SubAxisInfo):
        e.fail(f"expected a part of an axis, found {part}")
    return AxisRef(name, part)


def mesh(e: Entry, axes: Any, ids: Any) -> Mesh:
    if not isinstance(axes, tuple) or not all(isinstance(a, MeshAxis) for a in axes):  # type: ignore[reportUnknownVariableType] # attributes of a tuple are of any kind
        e.fail(f"expected the axes of a mesh, found {axes}")
    if ids is not None and not isinstance(ids, DenseElements):
        e.fail(f"expected the ids of devices, found {ids}")
    return Mesh(axes, ids)  # type: ignore[reportUnknownArgumentType]  # checked above


def mesh_groups(e: Entry, mesh: Any, axes: Sequence[Any]) -> DenseElements:
    if isinstance(mesh, SymbolRef):
        raise Unsupported(NAMED_MESH, ByteLocation(e.file, e.base), "bytecode")
    found = tuple(a for a in axes if isinstance(a, AxisRef))
    if not isinstance(mesh, Mesh) or len(found) != len(axes):
        e.fail("expected a mesh and its axes")
    try:
        return group_table(mesh, found)
    except ValueError as error:
        e.fail(str(error))


ATTRIBUTE_READERS["stablehlo"] = {
    1: _channel,
    2: read_enum(DIRECTIONS),
    3: read_enum(COMPARISONS),
    4: _convolution,
    5: _dot,
    6: read_enum(FFTS),
    7: _gather,
    8: read_enum(PRECISIONS),
    9: read_enum(ALGORITHMS),
    10: read_enum((None, *RngDistribution)),
    11: _scatter,
    12: read_enum(TRANSPOSES),
    13: read_bounds,
    14: read_alias,
    15: _algorithm,
    16: read_enum(ACCURACIES),
    17: read_accuracy,
    18: lambda e: mesh_groups(e, e.attribute(), e.attributes()),
    19: read_sub_axis,
    20: lambda e: axis_ref(e, e.string(), e.attribute() if e.byte() else None),
    21: lambda e: MeshAxis(e.string(), e.signed()),
    22: lambda e: mesh(e, e.attribute(), e.attribute() if e.byte() else None),
}
TYPE_READERS["stablehlo"] = {0: lambda _: TokenType(), 1: lambda e: FutureType(e.types())}
