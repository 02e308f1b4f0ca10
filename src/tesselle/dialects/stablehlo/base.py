"""What the declarations of StableHLO share: checks of operand types, and of regions that compute on scalars."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tesselle.ir.core import Op, Region, Value
from tesselle.ir.quantized import QuantizedType
from tesselle.ir.types import Dim, TensorType, Type, dims_compatible, shapes_compatible, types_compatible
from tesselle.support.dtypes import DType, Kind

Predicate = Callable[[DType], bool]

FLOAT = frozenset({Kind.FLOAT})
COMPLEX = frozenset({Kind.COMPLEX})
FLOAT_OR_COMPLEX = FLOAT | COMPLEX
INTEGER = frozenset({Kind.SIGNED, Kind.UNSIGNED})
BOOL_OR_INTEGER = INTEGER | {Kind.BOOL}
SIGNED_FLOAT_OR_COMPLEX = FLOAT_OR_COMPLEX | {Kind.SIGNED}
NUMBER = INTEGER | FLOAT_OR_COMPLEX
INTEGER_OR_FLOAT = INTEGER | FLOAT
REAL = INTEGER_OR_FLOAT | {Kind.BOOL}
PLAIN = NUMBER | {Kind.BOOL, Kind.INDEX}
QUANTIZED = frozenset({Kind.QUANTIZED})
ANY = PLAIN | QUANTIZED

KIND_TEXT = {
    FLOAT: "floating-point",
    COMPLEX: "complex",
    FLOAT_OR_COMPLEX: "floating-point or complex",
    INTEGER: "integer",
    BOOL_OR_INTEGER: "boolean or integer",
    SIGNED_FLOAT_OR_COMPLEX: "signed integer, floating-point or complex",
    NUMBER: "integer, floating-point or complex",
    INTEGER_OR_FLOAT: "integer or floating-point",
    REAL: "boolean, integer or floating-point",
    PLAIN: "plain",
    QUANTIZED: "quantized",
}


def tensor_type(
    op: Op, value: Value | Type, label: str = "I1", kinds: frozenset[Kind] = ANY, *, per_axis: bool = False
) -> TensorType:
    """The type of `value` as a tensor type; fails rule `label` unless it is one with an element type in `kinds`.

    Quantized tensors must be quantized per tensor, or, where the specification admits it (`per_axis`), along one axis.
    """
    t = value.type if isinstance(value, Value) else value
    if not isinstance(t, TensorType):
        op.fail(label, f"expected a tensor, found {t}")
    assert isinstance(t, TensorType)
    if t.dtype.kind not in kinds:
        op.fail(label, f"expected a tensor of {_kinds_text(kinds)} type, found {t}")
    if t.dtype.kind is Kind.QUANTIZED:
        _check_quantized(op, t, label, per_axis)
    return t


def _kinds_text(kinds: frozenset[Kind]) -> str:
    plain = KIND_TEXT.get(kinds - QUANTIZED, "another")
    return f"{plain} or quantized" if kinds > QUANTIZED else plain


def _check_quantized(op: Op, t: TensorType, label: str, per_axis: bool) -> None:
    """Rules C12 and C13 of quantized tensor types: the axis is a dimension, with a scale for each index."""
    q = t.dtype
    assert isinstance(q, QuantizedType)
    if q.is_sub_channel:
        op.fail(label, f"StableHLO has no tensors quantized by blocks, found {t}")
    if q.axis is None:
        return
    if not per_axis:
        op.fail(label, f"expected one scale for the whole tensor, found {t}")
    if q.axis >= t.rank:
        op.fail(label, f"the quantized dimension {q.axis} is no dimension of {t}")
    if not dims_compatible(t.shape[q.axis], len(q.scales)):
        op.fail(label, f"dimension {q.axis} of {t} has {t.shape[q.axis]} indices and {len(q.scales)} scales")


def tensor_types(op: Op, values: Sequence[Value], label: str) -> list[TensorType]:
    return [tensor_type(op, v, label) for v in values]


def merge_shapes(op: Op, shapes: Sequence[Sequence[Dim]], label: str, what: str) -> tuple[Dim, ...]:
    """The most precise shape that agrees with all `shapes`; fails rule `label` when two of them disagree."""
    first = tuple(shapes[0])
    for other in shapes[1:]:
        other = tuple(other)
        if other == first:
            continue
        if not shapes_compatible(first, other):
            op.fail(label, f"{what} must have the same shape, found {shape_text(first)} and {shape_text(other)}")
        first = tuple(b if a is None else a for a, b in zip(first, other, strict=True))
    return first


def shape_text(shape: Sequence[Dim]) -> str:
    return "[" + ", ".join("?" if d is None else str(d) for d in shape) + "]"


def same_dtype(op: Op, types: Sequence[TensorType], label: str, what: str) -> DType:
    """The common element type; fails rule `label` when there are two."""
    first = types[0].dtype
    for t in types[1:]:
        if t.dtype is not first:
            op.fail(label, f"{what} must have the same element type, found {first} and {t.dtype}")
    return first


def require_size(op: Op, values: Sequence[object], size: int, label: str, what: str) -> None:
    if len(values) != size:
        op.fail(label, f"{what} must have {size} elements, found {len(values)}")


def require_in_range(op: Op, values: Sequence[int], limit: int, label: str, what: str) -> None:
    """Every value must be a dimension: 0 <= value < limit."""
    for v in values:
        if not 0 <= v < limit:
            op.fail(label, f"{what} {list(values)} must lie in [0, {limit})")


def require_unique(op: Op, values: Sequence[int], label: str, what: str) -> None:
    if len(set(values)) != len(values):
        op.fail(label, f"{what} {list(values)} must be unique")


def require_sorted(op: Op, values: Sequence[int], label: str, what: str) -> None:
    if list(values) != sorted(values):
        op.fail(label, f"{what} {list(values)} must be sorted")


def require_positive(op: Op, values: Sequence[int], label: str, what: str) -> None:
    if any(v <= 0 for v in values):
        op.fail(label, f"{what} {list(values)} must be positive")


def require_dims(op: Op, a: Dim, b: Dim, label: str, what: str) -> None:
    if not dims_compatible(a, b):
        op.fail(label, f"{what} must be equal, found {a} and {b}")


def require_region(
    op: Op, region: Region, inputs: Sequence[Type], outputs: Sequence[Type] | None, label: str, what: str
) -> tuple[Type, ...]:
    """A region must take `inputs` and return `outputs` (any when None), up to dynamic dimensions.

    Returns what it returns.
    """
    if len(region.blocks) != 1:
        op.fail(label, f"{what} must have one block, found {len(region.blocks)}")
    block = region.blocks[0]
    found = [a.type for a in block.args]
    if len(found) != len(inputs) or not all(map(types_compatible, inputs, found)):
        op.fail(label, f"{what} must take ({_list(inputs)}), found ({_list(found)})")
    last = block.last
    if last is None or last.name not in ("stablehlo.return", "mhlo.return"):
        op.fail(label, f"{what} must end with stablehlo.return")
    assert last is not None
    returned = tuple(v.type for v in last.operands)
    if outputs is not None and (len(returned) != len(outputs) or not all(map(types_compatible, outputs, returned))):
        op.fail(label, f"{what} must return ({_list(outputs)}), found ({_list(returned)})")
    return returned


def require_reducer(op: Op, region: Region, dtypes: Sequence[DType], label: str, what: str = "body") -> list[DType]:
    """A reducer takes two scalars for every element type and returns one; it may compute in wider types.

    Returns the element types that it computes in.
    """
    count = len(dtypes)
    if len(region.blocks) != 1:
        op.fail(label, f"{what} must have one block, found {len(region.blocks)}")
    args = [a.type for a in region.blocks[0].args]
    if len(args) != 2 * count:
        op.fail(label, f"{what} must take {2 * count} scalars, found {len(args)} arguments")
    scalars: list[TensorType] = []
    for i, t in enumerate(args):
        if not isinstance(t, TensorType) or t.rank != 0:
            op.fail(label, f"argument {i} of {what} must be a tensor of rank 0, found {t}")
        assert isinstance(t, TensorType)
        scalars.append(t)
    for i, dtype in enumerate(dtypes):
        if not is_promotable(dtype, scalars[i].dtype):
            op.fail(label, f"argument {i} of {what} must be tensor<{dtype}> or wider, found {scalars[i]}")
    require_region(op, region, [*scalars[:count], *scalars[:count]], scalars[:count], label, what)
    return [t.dtype for t in scalars[:count]]


def is_promotable(source: DType, target: DType) -> bool:
    """Whether a value of `source` may be widened to `target`: same kind, no fewer bits.

    Quantized ones must stand for the same floats too. Source: spec, is_promotable.
    """
    if isinstance(source, QuantizedType) and isinstance(target, QuantizedType):
        return source.expressed is target.expressed and source.storage.bits <= target.storage.bits
    return source is target or (source.kind is target.kind and source.bits <= target.bits)


def scalar(dtype: DType) -> TensorType:
    return TensorType((), dtype)


def _list(types: Sequence[Type]) -> str:
    return ", ".join(map(str, types))
