"""Operations that make tensors, and those that ask for, change or compute with shapes."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import (
    ANY,
    INTEGER,
    INTEGER_OR_FLOAT,
    NUMBER,
    PLAIN,
    SameTypeOp,
    axis_of,
    numbers,
    require_rank,
    require_rank_in,
    require_size_of,
    same_dtype,
    vector,
)
from tesselle.ir.attributes import Attribute, DenseElements
from tesselle.ir.core import CONSTANT_LIKE, PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, result_type_def, result_types_def, variadic_def
from tesselle.ir.types import TensorType, Type, dims_compatible, shapes_compatible, types_compatible

# ---------------------------------------------------------------------------------------------- making tensors


@op("tf.Const", PURE, CONSTANT_LIKE)
class ConstOp(Op):
    """The tensor whose elements are `value`. Errors: value (its type is another)."""

    value: Attribute = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        if isinstance(self.value, DenseElements):
            fits = types_compatible(self.value.type, self.result_type)
            self.require(fits, "value", f"elements of type {self.value.type} are no {self.result_type}")


@op("tf.Fill", PURE)
class FillOp(Op):
    """A tensor of shape `dims` whose elements are all `value`. Errors: dims, value."""

    dims: Value = operand_def()
    value: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        vector(self, self.dims, "dims", self.result_type.rank)
        t = numbers(self, self.value, "value")
        require_rank(self, t, 0, "value")
        same_dtype(self, (t, self.result_type), "value", "the value and the result")


@op("tf.Empty", PURE)
class EmptyOp(Op):
    """A tensor of shape `shape` whose elements do not matter. Errors: shape."""

    shape: Value = operand_def()
    result_type: TensorType = result_type_def()
    init: bool = attr_def(default=False)

    def check(self) -> None:
        vector(self, self.shape, "shape", self.result_type.rank)


@op("tf.Range", PURE)
class RangeOp(Op):
    """start, start + delta, … up to limit, which is left out. Errors: start, limit, delta (types), result."""

    start: Value = operand_def()
    limit: Value = operand_def()
    delta: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        for label, v in (("start", self.start), ("limit", self.limit), ("delta", self.delta)):
            t = numbers(self, v, label, INTEGER_OR_FLOAT)
            require_rank(self, t, 0, label)
            same_dtype(self, (self.result_type, t), label, "the result and the operands")
        require_rank(self, self.result_type, 1, "result")


@op("tf.LinSpace", PURE)
class LinSpaceOp(Op):
    """`num` numbers from start to stop in equal steps. Errors: start, stop, num (types)."""

    start: Value = operand_def()
    stop: Value = operand_def()
    num: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        for label, v in (("start", self.start), ("stop", self.stop)):
            t = numbers(self, v, label, INTEGER_OR_FLOAT)
            require_rank(self, t, 0, label)
            same_dtype(self, (self.result_type, t), label, "the result and the operands")
        require_rank(self, numbers(self, self.num, "num", INTEGER), 0, "num")
        require_rank(self, self.result_type, 1, "result")


@op("tf.OneHot", PURE)
class OneHotOp(Op):
    """on_value where the index along a new `axis` is that of `indices`, else off_value.

    Errors: indices, depth, on_value, off_value, axis, result (types).
    """

    indices: Value = operand_def()
    depth: Value = operand_def()
    on_value: Value = operand_def()
    off_value: Value = operand_def()
    result_type: TensorType = result_type_def()
    axis: int = attr_def(default=-1)

    def check(self) -> None:
        t = numbers(self, self.indices, "indices", INTEGER)
        require_rank(self, numbers(self, self.depth, "depth", INTEGER), 0, "depth")
        for label, v in (("on_value", self.on_value), ("off_value", self.off_value)):
            value = numbers(self, v, label)
            require_rank(self, value, 0, label)
            same_dtype(self, (self.result_type, value), label, "the result and the values")
        axis_of(self, self.axis, t.rank + 1, "axis")
        require_rank(self, self.result_type, t.rank + 1, "result")


# ---------------------------------------------------------------------------------------------- passing on


@op("tf.Identity", PURE)
class IdentityOp(SameTypeOp):
    """The operand."""


@op("tf.StopGradient", PURE)
class StopGradientOp(SameTypeOp):
    """The operand; gradients do not go through."""


@op("tf.PreventGradient", PURE)
class PreventGradientOp(SameTypeOp):
    """The operand; asking for its gradient is an error when the program is made."""

    message: str = attr_def(default="")


@op("tf.Snapshot", PURE)
class SnapshotOp(SameTypeOp):
    """The operand."""


@op("tf.DeepCopy", PURE)
class DeepCopyOp(SameTypeOp):
    """The operand."""


@op("tf.CheckNumerics", PURE)
class CheckNumericsOp(SameTypeOp):
    """The operand; TensorFlow stops where it is infinite or nan, compiled programs go on."""

    message: str = attr_def(default="")


@op("tf.EnsureShape", PURE)
class EnsureShapeOp(SameTypeOp):
    """The operand, whose shape must be the result's."""

    shape: Attribute = attr_def(default=None)


@op("tf.ZerosLike", PURE)
class ZerosLikeOp(Op):
    """Zeros in the operand's shape; of a list, a list of zeros."""

    x: Value = operand_def()
    result_type: TensorType = result_type_def()


@op("tf.IdentityN", PURE)
class IdentityNOp(Op):
    """The operands. Errors: results (other types)."""

    input: Sequence[Value] = variadic_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        fits = len(self.operands) == len(self.results)
        fits = fits and all(types_compatible(v.type, r.type) for v, r in zip(self.operands, self.results, strict=True))
        self.require(fits, "results", "the results must have the operands' types")


# ---------------------------------------------------------------------------------------------- asking


@op("tf.Shape", PURE)
class ShapeOp(Op):
    """The sizes of all dimensions. Errors: input, result."""

    input: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        vector(self, self.results[0], "result", t.rank)


@op("tf.ShapeN", PURE)
class ShapeNOp(Op):
    """The sizes of all dimensions of every operand. Errors: results."""

    input: Sequence[Value] = variadic_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        self.require(len(self.operands) == len(self.results), "results", "expected one result for each operand")
        for v, r in zip(self.operands, self.results, strict=True):
            vector(self, r, "results", numbers(self, v, "input").rank)


@op("tf.Size", PURE)
class SizeOp(Op):
    """The number of elements. Errors: input, result."""

    input: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        numbers(self, self.input, "input")
        require_rank(self, numbers(self, self.results[0], "result", INTEGER), 0, "result")


@op("tf.Rank", PURE)
class RankOp(Op):
    """The number of dimensions. Errors: input, result."""

    input: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        numbers(self, self.input, "input")
        require_rank(self, numbers(self, self.results[0], "result", INTEGER), 0, "result")


@op("tf.BroadcastArgs", PURE)
class BroadcastArgsOp(Op):
    """The shape to which tensors of shapes s0 and s1 broadcast. Errors: s0, s1, result."""

    s0: Value = operand_def()
    s1: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        vector(self, self.s0, "s0")
        vector(self, self.s1, "s1")
        vector(self, self.results[0], "result")


@op("tf.BroadcastGradientArgs", PURE)
class BroadcastGradientArgsOp(Op):
    """The dimensions along which the gradients of two operands of shapes s0 and s1 are summed.

    Errors: s0, s1, results.
    """

    s0: Value = operand_def()
    s1: Value = operand_def()
    r0: TensorType = result_type_def()
    r1: TensorType = result_type_def()

    def check(self) -> None:
        vector(self, self.s0, "s0")
        vector(self, self.s1, "s1")
        for r in self.results:
            vector(self, r, "results")


# ---------------------------------------------------------------------------------------------- other shapes


@op("tf.Reshape", PURE)
class ReshapeOp(Op):
    """The elements in another shape; the size -1 is what the other sizes leave. Errors: tensor, shape, result."""

    tensor: Value = operand_def()
    shape: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.tensor, "tensor")
        vector(self, self.shape, "shape", self.result_type.rank)
        same_dtype(self, (t, self.result_type), "result", "the operand and the result")
        if t.is_static and self.result_type.is_static:
            same = t.element_count == self.result_type.element_count
            self.require(same, "result", f"{t} and {self.result_type} differ in their number of elements")


@op("tf.ExpandDims", PURE)
class ExpandDimsOp(Op):
    """The operand with a dimension of size 1 at `dim`. Errors: input, dim, result."""

    input: Value = operand_def()
    dim: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t, d = numbers(self, self.input, "input"), numbers(self, self.dim, "dim", INTEGER)
        self.require(d.is_static and d.element_count == 1, "dim", f"expected one integer, found {d}")
        same_dtype(self, (t, self.result_type), "result", "the operand and the result")
        require_rank(self, self.result_type, t.rank + 1, "result")


@op("tf.Squeeze", PURE)
class SqueezeOp(Op):
    """The operand without dimensions of size 1: those named, or all. Errors: input, squeeze_dims, result."""

    input: Value = operand_def()
    result_type: TensorType = result_type_def()
    squeeze_dims: tuple[int, ...] = attr_def(default=())

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        dims = {axis_of(self, d, t.rank, "squeeze_dims") for d in self.squeeze_dims}
        for d in dims:
            require_size_of(self, t.shape[d], 1, "squeeze_dims", f"dimension {d} of {t}")
        if dims:
            require_rank(self, self.result_type, t.rank - len(dims), "result")
        same_dtype(self, (t, self.result_type), "result", "the operand and the result")


@op("tf.Transpose", PURE)
class TransposeOp(Op):
    """result[i] = x[j], where i[d] = j[perm[d]]. Errors: x, perm, result."""

    x: Value = operand_def()
    perm: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.x, "x")
        vector(self, self.perm, "perm", t.rank)
        same_dtype(self, (t, self.result_type), "result", "the operand and the result")
        require_rank(self, self.result_type, t.rank, "result")


@op("tf.BroadcastTo", PURE)
class BroadcastToOp(Op):
    """The operand repeated to `shape` by NumPy's rule. Errors: input, shape, result."""

    input: Value = operand_def()
    shape: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        vector(self, self.shape, "shape", self.result_type.rank)
        same_dtype(self, (t, self.result_type), "result", "the operand and the result")
        require_rank_in(self, t, 0, self.result_type.rank, "input")


@op("tf.Tile", PURE)
class TileOp(Op):
    """The operand repeated `multiples[d]` times along every dimension d. Errors: input, multiples, result."""

    input: Value = operand_def()
    multiples: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.input, "input")
        vector(self, self.multiples, "multiples", t.rank)
        same_dtype(self, (t, self.result_type), "result", "the operand and the result")
        require_rank(self, self.result_type, t.rank, "result")


@op("tf.Pack", PURE)
class PackOp(Op):
    """The operands one beside the other along a new `axis`. Errors: values, axis, result."""

    values: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()
    axis: int = attr_def(default=0)

    def check(self) -> None:
        self.require(len(self.operands) > 0, "values", "expected an operand")
        types = [numbers(self, v, "values") for v in self.operands]
        same_dtype(self, (*types, self.result_type), "values", "the operands and the result")
        for t in types:
            fits = shapes_compatible(t.shape, types[0].shape)
            self.require(fits, "values", f"the operands must have one shape, found {t} and {types[0]}")
        axis_of(self, self.axis, types[0].rank + 1, "axis")
        require_rank(self, self.result_type, types[0].rank + 1, "result")


@op("tf.Unpack", PURE)
class UnpackOp(Op):
    """The slices of the operand along `axis`. Errors: value, axis, results."""

    value: Value = operand_def()
    types: Sequence[Type] = result_types_def()
    axis: int = attr_def(default=0)

    def check(self) -> None:
        t = numbers(self, self.value, "value")
        axis = axis_of(self, self.axis, t.rank, "axis")
        self.require(t.rank > 0, "value", f"expected a tensor of rank 1 and more, found {t}")
        require_size_of(self, t.shape[axis], len(self.results), "results", f"the slices of {t}")
        for r in self.results:
            require_rank(self, numbers(self, r, "results"), t.rank - 1, "results")


def _check_concat(op_: Op, values: Sequence[Value], axis: Value, result: TensorType) -> None:
    op_.require(len(values) > 0, "values", "expected an operand")
    require_rank(op_, numbers(op_, axis, "axis", INTEGER), 0, "axis")
    types = [numbers(op_, v, "values") for v in values]
    same_dtype(op_, (*types, result), "values", "the operands and the result")
    for t in types:
        require_rank(op_, t, types[0].rank, "values")
    require_rank(op_, result, types[0].rank, "result")


@op("tf.Concat", PURE)
class ConcatOp(Op):
    """The operands one behind the other along `concat_dim`. Errors: axis, values, result."""

    concat_dim: Value = operand_def()
    values: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        _check_concat(self, self.values, self.concat_dim, self.result_type)


@op("tf.ConcatV2", PURE)
class ConcatV2Op(Op):
    """The operands one behind the other along `axis`, the last operand. Errors: axis, values, result."""

    values: Sequence[Value] = variadic_def()
    axis: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        _check_concat(self, self.values, self.axis, self.result_type)


@op("tf.ConcatOffset", PURE)
class ConcatOffsetOp(Op):
    """Where tensors of the given shapes start in their concatenation along concat_dim. Errors: concat_dim, shape."""

    concat_dim: Value = operand_def()
    shape: Sequence[Value] = variadic_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        require_rank(self, numbers(self, self.concat_dim, "concat_dim", INTEGER), 0, "concat_dim")
        self.require(len(self.shape) == len(self.results), "shape", "expected one result for each shape")
        for v, r in zip(self.shape, self.results, strict=True):
            vector(self, v, "shape")
            vector(self, r, "shape")


@op("tf.Split", PURE)
class SplitOp(Op):
    """Equal parts of the operand along `split_dim`, as many as results. Errors: split_dim, value, results."""

    split_dim: Value = operand_def()
    value: Value = operand_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        require_rank(self, numbers(self, self.split_dim, "split_dim", INTEGER), 0, "split_dim")
        t = numbers(self, self.value, "value")
        self.require(len(self.results) > 0, "results", "expected a result")
        for r in self.results:
            require_rank(self, numbers(self, r, "results"), t.rank, "results")


@op("tf.SplitV", PURE)
class SplitVOp(Op):
    """Parts of the operand of sizes `size_splits` along `split_dim`; -1 is what the others leave.

    Errors: split_dim, value, size_splits, results.
    """

    value: Value = operand_def()
    size_splits: Value = operand_def()
    split_dim: Value = operand_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        require_rank(self, numbers(self, self.split_dim, "split_dim", INTEGER), 0, "split_dim")
        t = numbers(self, self.value, "value")
        vector(self, self.size_splits, "size_splits", len(self.results))
        for r in self.results:
            require_rank(self, numbers(self, r, "results"), t.rank, "results")


# ---------------------------------------------------------------------------------------------- gradients of moves


@op("tf.MirrorPadGrad", PURE)
class MirrorPadGradOp(Op):
    """What mirror padding added, folded back onto the elements that it came from. Errors: paddings, mode."""

    input: Value = operand_def()
    paddings: Value = operand_def()
    mode: str = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        check_paddings(self, numbers(self, self.input, "input", NUMBER), self.paddings)
        self.require(self.mode in ("REFLECT", "SYMMETRIC"), "mode", f"there is no mode {self.mode}")


def check_paddings(op_: Op, t: TensorType, paddings: Value) -> None:
    """`paddings` holds two integers for every dimension of `t`."""
    p = numbers(op_, paddings, "paddings", INTEGER)
    fits = p.rank == 2 and dims_compatible(p.shape[0], t.rank) and dims_compatible(p.shape[1], 2)
    op_.require(fits, "paddings", f"{p} does not hold two sizes for every dimension of {t}")


def _check_pad(op_: Op, input_: Value, paddings: Value, result: TensorType) -> TensorType:
    t = numbers(op_, input_, "input", ANY)
    check_paddings(op_, t, paddings)
    same_dtype(op_, (t, result), "result", "the operand and the result")
    require_rank(op_, result, t.rank, "result")
    return t


@op("tf.Pad", PURE)
class PadOp(Op):
    """The operand with zeros around it. Errors: input, paddings, result."""

    input: Value = operand_def()
    paddings: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        _check_pad(self, self.input, self.paddings, self.result_type)


@op("tf.PadV2", PURE)
class PadV2Op(Op):
    """The operand with `constant_values` around it. Errors: input, paddings, constant_values, result."""

    input: Value = operand_def()
    paddings: Value = operand_def()
    constant_values: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = _check_pad(self, self.input, self.paddings, self.result_type)
        c = numbers(self, self.constant_values, "constant_values", PLAIN)
        require_rank(self, c, 0, "constant_values")
        same_dtype(self, (t, c), "constant_values", "the operand and the value")


@op("tf.MirrorPad", PURE)
class MirrorPadOp(Op):
    """The operand with its mirror image around it: with (SYMMETRIC) or without (REFLECT) the outermost elements.

    Errors: input, paddings, mode, result.
    """

    input: Value = operand_def()
    paddings: Value = operand_def()
    mode: str = attr_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        _check_pad(self, self.input, self.paddings, self.result_type)
        self.require(self.mode in ("REFLECT", "SYMMETRIC"), "mode", f"there is no mode {self.mode}")
