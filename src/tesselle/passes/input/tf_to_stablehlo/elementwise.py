"""Elementwise operations, and the gradients of elementwise functions."""

from __future__ import annotations

import math

import numpy as np

from tesselle.dialects.chlo import elementwise as ce
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.tf import binary as tb
from tesselle.dialects.tf import elementwise as tf
from tesselle.dialects.tf.base import BinaryOp, ComparisonOp, GradientOp, UnaryOp
from tesselle.ir.core import Op, Value
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.support.dtypes import I1, UI8

UNARY: dict[type[Op], type[Op]] = {
    tf.AbsOp: e.AbsOp,
    tf.AcosOp: ce.AcosOp,
    tf.AcoshOp: ce.AcoshOp,
    tf.AsinOp: ce.AsinOp,
    tf.AsinhOp: ce.AsinhOp,
    tf.AtanOp: ce.AtanOp,
    tf.AtanhOp: ce.AtanhOp,
    tf.BesselI1eOp: ce.BesselI1eOp,
    tf.CeilOp: e.CeilOp,
    tf.ComplexAbsOp: e.AbsOp,
    tf.ConjOp: ce.ConjOp,
    tf.CosOp: e.CosineOp,
    tf.CoshOp: ce.CoshOp,
    tf.DigammaOp: ce.DigammaOp,
    tf.ErfOp: ce.ErfOp,
    tf.ErfcOp: ce.ErfcOp,
    tf.ErfinvOp: ce.ErfInvOp,
    tf.ExpOp: e.ExponentialOp,
    tf.Expm1Op: e.ExponentialMinusOneOp,
    tf.FloorOp: e.FloorOp,
    tf.ImagOp: e.ImagOp,
    tf.InvertOp: e.NotOp,
    tf.IsFiniteOp: e.IsFiniteOp,
    tf.IsInfOp: ce.IsInfOp,
    tf.LgammaOp: ce.LgammaOp,
    tf.LogOp: e.LogOp,
    tf.Log1pOp: e.LogPlusOneOp,
    tf.LogicalNotOp: e.NotOp,
    tf.NegOp: e.NegateOp,
    tf.RealOp: e.RealOp,
    tf.RintOp: e.RoundNearestEvenOp,
    tf.RsqrtOp: e.RsqrtOp,
    tf.SigmoidOp: e.LogisticOp,
    tf.SignOp: e.SignOp,
    tf.SinOp: e.SineOp,
    tf.SinhOp: ce.SinhOp,
    tf.SqrtOp: e.SqrtOp,
    tf.TanOp: e.TanOp,
    tf.TanhOp: e.TanhOp,
}
"""Operations of one operand that StableHLO or CHLO has under another name."""

BINARY: dict[type[Op], type[Op]] = {
    tb.AddOp: e.AddOp,
    tb.AddV2Op: e.AddOp,
    tb.Atan2Op: e.Atan2Op,
    tb.BitwiseAndOp: e.AndOp,
    tb.BitwiseOrOp: e.OrOp,
    tb.BitwiseXorOp: e.XorOp,
    tb.ComplexOp: e.ComplexOp,
    tb.DivOp: e.DivideOp,
    tb.LogicalAndOp: e.AndOp,
    tb.LogicalOrOp: e.OrOp,
    tb.MaximumOp: e.MaximumOp,
    tb.MinimumOp: e.MinimumOp,
    tb.ModOp: e.RemainderOp,
    tb.MulOp: e.MultiplyOp,
    tb.NextAfterOp: ce.NextAfterOp,
    tb.PolygammaOp: ce.PolygammaOp,
    tb.PowOp: e.PowerOp,
    tb.RealDivOp: e.DivideOp,
    tb.SubOp: e.SubtractOp,
    tb.TruncateModOp: e.RemainderOp,
    tb.ZetaOp: ce.ZetaOp,
}
"""Operations of two operands that StableHLO or CHLO has under another name."""

COMPARISONS: dict[type[Op], ComparisonDirection] = {
    tb.EqualOp: ComparisonDirection.EQ,
    tb.NotEqualOp: ComparisonDirection.NE,
    tb.GreaterOp: ComparisonDirection.GT,
    tb.GreaterEqualOp: ComparisonDirection.GE,
    tb.LessOp: ComparisonDirection.LT,
    tb.LessEqualOp: ComparisonDirection.LE,
}

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
"""Klambauer, Unterthiner, Mayr, Hochreiter, Self-normalizing neural networks (2017)."""


@lowering(*UNARY)
def unary(op: UnaryOp, b: TfBuilder) -> Value:
    return b.op(UNARY[type(op)], op.x)


@lowering(*BINARY)
def binary(op: BinaryOp, b: TfBuilder) -> Value:
    return b.binary(BINARY[type(op)], op.x, op.y)


@lowering(*COMPARISONS)
def comparison(op: ComparisonOp, b: TfBuilder) -> Value:
    return b.relate(op.x, COMPARISONS[type(op)], op.y)


# ---------------------------------------------------------------------------------------------- one operand


@lowering(tf.AngleOp)
def angle(op: tf.AngleOp, b: TfBuilder) -> Value:
    """atan2(imag(x), real(x))"""
    return b.op(e.Atan2Op, b.op(e.ImagOp, op.x), b.op(e.RealOp, op.x))


@lowering(tf.EluOp)
def elu(op: tf.EluOp, b: TfBuilder) -> Value:
    x = b.tensor(op.x)
    return x.where(x > 0, x.apply(e.ExponentialMinusOneOp)).value


@lowering(tf.SeluOp)
def selu(op: tf.SeluOp, b: TfBuilder) -> Value:
    x = b.tensor(op.x)
    return (x * SELU_SCALE).where(x > 0, x.apply(e.ExponentialMinusOneOp) * (SELU_SCALE * SELU_ALPHA)).value


@lowering(tf.InvOp, tf.ReciprocalOp)
def reciprocal(op: tf.InvOp, b: TfBuilder) -> Value:
    x = b.tensor(op.x)
    return x.number(1).apply(e.DivideOp, x).value


@lowering(tf.IsNanOp)
def is_nan(op: tf.IsNanOp, b: TfBuilder) -> Value:
    """x ≠ x"""
    return b.compare(op.x, ComparisonDirection.NE, op.x)


@lowering(tf.LeakyReluOp)
def leaky_relu(op: tf.LeakyReluOp, b: TfBuilder) -> Value:
    x = b.tensor(op.x)
    return x.where(x > 0, x * op.alpha).value


@lowering(tf.NdtriOp)
def ndtri(op: tf.NdtriOp, b: TfBuilder) -> Value:
    """√2 erf⁻¹(2 x - 1)"""
    x = b.tensor(op.x)
    return ((x * 2 - 1).apply(ce.ErfInvOp) * math.sqrt(2)).value


@lowering(tf.OnesLikeOp)
def ones_like(op: tf.OnesLikeOp, b: TfBuilder) -> Value:
    return b.full_of(1, b.sizes(op.x), b.dtype(op.x))


@lowering(tf.PopulationCountOp)
def population_count(op: tf.PopulationCountOp, b: TfBuilder) -> Value:
    return b.convert(b.op(e.PopcntOp, op.x), UI8)


@lowering(tf.ReluOp)
def relu(op: tf.ReluOp, b: TfBuilder) -> Value:
    """max(x, 0)"""
    return b.tensor(op.x).apply(e.MaximumOp, 0).value


@lowering(tf.Relu6Op)
def relu6(op: tf.Relu6Op, b: TfBuilder) -> Value:
    """min(max(x, 0), 6)"""
    return b.tensor(op.x).apply(e.MaximumOp, 0).apply(e.MinimumOp, 6).value


@lowering(tf.RoundOp)
def round_(op: tf.RoundOp, b: TfBuilder) -> Value:
    return b.op(e.RoundNearestEvenOp, op.x) if b.dtype(op.x).is_float else op.x


@lowering(tf.SoftplusOp)
def softplus(op: tf.SoftplusOp, b: TfBuilder) -> Value:
    """max(x, 0) + log(1 + exp(-|x|))"""
    x = b.tensor(op.x)
    tail = (-x.apply(e.AbsOp)).apply(e.ExponentialOp).apply(e.LogPlusOneOp)
    return (x.apply(e.MaximumOp, 0) + tail).value


@lowering(tf.SoftsignOp)
def softsign(op: tf.SoftsignOp, b: TfBuilder) -> Value:
    x = b.tensor(op.x)
    return (x / (x.apply(e.AbsOp) + 1)).value


@lowering(tf.SquareOp)
def square(op: tf.SquareOp, b: TfBuilder) -> Value:
    return b.multiply(op.x, op.x)


@lowering(tf.CastOp)
def cast(op: tf.CastOp, b: TfBuilder) -> Value:
    """Of complex numbers to real ones the real part; to booleans whether it is not zero."""
    x, dtype = op.x, tensor_type(op.results[0]).dtype
    if dtype.is_bool and not b.dtype(x).is_bool:
        t = b.tensor(x)
        return t.compare(ComparisonDirection.NE, 0).value
    if b.dtype(x).is_complex and not dtype.is_complex:
        x = b.op(e.RealOp, x)
    return b.convert(x, dtype)


@lowering(tf.BitcastOp)
def bitcast(op: tf.BitcastOp, b: TfBuilder) -> Value:
    return b.insert(e.BitcastConvertOp(op.input, op.result_type)).result


@lowering(tf.ClipByValueOp)
def clip_by_value(op: tf.ClipByValueOp, b: TfBuilder) -> Value:
    """minimum(maximum(x, low), high)"""
    return b.binary(e.MinimumOp, b.binary(e.MaximumOp, op.x, op.clip_value_min), op.clip_value_max)


# ---------------------------------------------------------------------------------------------- two operands


def _tensors(b: TfBuilder, *values: Value) -> list[Tensor]:
    """The values repeated to one shape."""
    return [b.tensor(v) for v in b.common(*values)]


@lowering(tb.ApproximateEqualOp)
def approximate_equal(op: tb.ApproximateEqualOp, b: TfBuilder) -> Value:
    difference = b.tensor(b.op(e.AbsOp, b.binary(e.SubtractOp, op.x, op.y)))
    return (difference < op.tolerance).value


@lowering(tb.DivNoNanOp)
def div_no_nan(op: tb.DivNoNanOp, b: TfBuilder) -> Value:
    """y = 0 ? 0 : x / y"""
    x, y = _tensors(b, op.x, op.y)
    return y.number(0).where(y.equals(0), x / y).value


@lowering(tb.MulNoNanOp)
def mul_no_nan(op: tb.MulNoNanOp, b: TfBuilder) -> Value:
    """y = 0 ? 0 : x * y"""
    x, y = _tensors(b, op.x, op.y)
    return y.number(0).where(y.equals(0), x * y).value


@lowering(tb.XdivyOp, tb.XlogyOp, tb.Xlog1pyOp)
def x_times(op: BinaryOp, b: TfBuilder) -> Value:
    """x = 0 ? 0 : x f(y)"""
    x, y = _tensors(b, op.x, op.y)
    if isinstance(op, tb.XdivyOp):
        found = x / y
    else:
        found = x * y.apply(e.LogOp if isinstance(op, tb.XlogyOp) else e.LogPlusOneOp)
    return x.number(0).where(x.equals(0), found).value


@lowering(tb.SquaredDifferenceOp)
def squared_difference(op: tb.SquaredDifferenceOp, b: TfBuilder) -> Value:
    """(x - y) conj(x - y)"""
    difference = b.binary(e.SubtractOp, op.x, op.y)
    other = b.op(ce.ConjOp, difference) if b.dtype(difference).is_complex else difference
    return b.multiply(difference, other)


@lowering(tb.TruncateDivOp)
def truncate_div(op: tb.TruncateDivOp, b: TfBuilder) -> Value:
    """x / y, cut towards zero"""
    quotient = b.binary(e.DivideOp, op.x, op.y)
    if not b.dtype(quotient).is_float:
        return quotient
    x = b.tensor(quotient)
    return x.apply(e.CeilOp).where(x < 0, x.apply(e.FloorOp)).value


@lowering(tb.FloorDivOp)
def floor_div(op: tb.FloorDivOp, b: TfBuilder) -> Value:
    """floor(x / y); of signed integers x / y - 1 where there is a remainder of the other sign than y"""
    dtype = b.dtype(op.x)
    if not dtype.is_signed:
        quotient = b.binary(e.DivideOp, op.x, op.y)
        return b.op(e.FloorOp, quotient) if dtype.is_float else quotient
    x, y = _tensors(b, op.x, op.y)
    quotient, rest = x / y, x % y
    return (quotient - 1).where(_other_sign(rest, y), quotient).value


@lowering(tb.FloorModOp)
def floor_mod(op: tb.FloorModOp, b: TfBuilder) -> Value:
    """The remainder, and y more where its sign is not that of y"""
    if b.dtype(op.x).is_unsigned:
        return b.binary(e.RemainderOp, op.x, op.y)
    x, y = _tensors(b, op.x, op.y)
    rest = x % y
    return (rest + y).where(_other_sign(rest, y), rest).value


def _other_sign(rest: Tensor, y: Tensor) -> Tensor:
    """Whether a remainder is not zero and has another sign than the divisor."""
    differs = (rest < 0).compare(ComparisonDirection.NE, y < 0)
    return differs & rest.compare(ComparisonDirection.NE, 0)


@lowering(tb.LeftShiftOp, tb.RightShiftOp)
def shift(op: BinaryOp, b: TfBuilder) -> Value:
    """The distance is clamped to the width."""
    x, y = _tensors(b, op.x, op.y)
    dtype = b.dtype(op.x)
    distance = y.apply(e.MaximumOp, 0).apply(e.MinimumOp, dtype.bits - 1)
    if isinstance(op, tb.LeftShiftOp):
        return x.apply(e.ShiftLeftOp, distance).value
    return x.apply(e.ShiftRightArithmeticOp if dtype.is_signed else e.ShiftRightLogicalOp, distance).value


@lowering(tb.AddNOp, tb.AccumulateNV2Op)
def add_n(op: tb.AddNOp, b: TfBuilder) -> Value:
    found = op.inputs[0]
    for v in op.inputs[1:]:
        found = b.binary(e.AddOp, found, v)
    return found


@lowering(tb.SelectOp)
def select(op: tb.SelectOp, b: TfBuilder) -> Value:
    """A condition of rank 1 chooses among rows."""
    condition = op.condition
    if b.rank(condition) == 1 and b.rank(op.t) > 1:
        condition = b.broadcast_to(condition, b.sizes(op.t), (0,))
    return b.select(condition, op.t, op.e)


@lowering(tb.SelectV2Op)
def select_v2(op: tb.SelectV2Op, b: TfBuilder) -> Value:
    return b.choose_between(op.condition, op.t, op.e)


@lowering(tb.ToBoolOp)
def to_bool(op: tb.ToBoolOp, b: TfBuilder) -> Value:
    """Scalars: x ≠ 0; others: whether there are elements."""
    if b.rank(op.input) == 0:
        if b.dtype(op.input) is I1:
            return op.input
        return b.tensor(op.input).compare(ComparisonDirection.NE, 0).value
    count = b.product(b.sizes(op.input))
    if isinstance(count, int):
        return b.constant(np.array(count > 0))
    return b.compare(count, ComparisonDirection.GT, b.index(0))


# ---------------------------------------------------------------------------------------------- gradients


def _gradient(op: GradientOp, b: TfBuilder) -> tuple[Tensor, Tensor]:
    return b.tensor(op.x), b.tensor(op.y)


@lowering(tf.EluGradOp)
def elu_grad(op: tf.EluGradOp, b: TfBuilder) -> Value:
    gradient, y = _gradient(op, b)
    return (gradient * (y + 1)).where(y < 0, gradient).value


@lowering(tf.SeluGradOp)
def selu_grad(op: tf.SeluGradOp, b: TfBuilder) -> Value:
    gradient, y = _gradient(op, b)
    return (gradient * (y + SELU_SCALE * SELU_ALPHA)).where(y < 0, gradient * SELU_SCALE).value


@lowering(tf.LeakyReluGradOp)
def leaky_relu_grad(op: tf.LeakyReluGradOp, b: TfBuilder) -> Value:
    gradient, x = _gradient(op, b)
    return gradient.where(x > 0, gradient * op.alpha).value


@lowering(tf.ReluGradOp)
def relu_grad(op: tf.ReluGradOp, b: TfBuilder) -> Value:
    gradient, x = _gradient(op, b)
    return gradient.where(x > 0, 0).value


@lowering(tf.Relu6GradOp)
def relu6_grad(op: tf.Relu6GradOp, b: TfBuilder) -> Value:
    gradient, x = _gradient(op, b)
    return gradient.where((x > 0) & (x < 6), 0).value


@lowering(tf.SoftplusGradOp)
def softplus_grad(op: tf.SoftplusGradOp, b: TfBuilder) -> Value:
    gradient, x = _gradient(op, b)
    return (gradient * x.apply(e.LogisticOp)).value


@lowering(tf.SoftsignGradOp)
def softsign_grad(op: tf.SoftsignGradOp, b: TfBuilder) -> Value:
    gradient, x = _gradient(op, b)
    divisor = x.apply(e.AbsOp) + 1
    return (gradient / (divisor * divisor)).value


@lowering(tf.SigmoidGradOp)
def sigmoid_grad(op: tf.SigmoidGradOp, b: TfBuilder) -> Value:
    y, gradient = _conjugate_first(op, b)
    return (gradient * y * (y.number(1) - y)).value


@lowering(tf.TanhGradOp)
def tanh_grad(op: tf.TanhGradOp, b: TfBuilder) -> Value:
    y, gradient = _conjugate_first(op, b)
    return (gradient * (y.number(1) - y * y)).value


@lowering(tf.SqrtGradOp)
def sqrt_grad(op: tf.SqrtGradOp, b: TfBuilder) -> Value:
    y, gradient = _conjugate_first(op, b)
    return (gradient * 0.5).apply(e.DivideOp, y).value


@lowering(tf.RsqrtGradOp)
def rsqrt_grad(op: tf.RsqrtGradOp, b: TfBuilder) -> Value:
    y, gradient = _conjugate_first(op, b)
    return (gradient * -0.5 * (y * y * y)).value


@lowering(tf.InvGradOp, tf.ReciprocalGradOp)
def reciprocal_grad(op: GradientOp, b: TfBuilder) -> Value:
    y, gradient = _conjugate_first(op, b)
    return (-gradient * y * y).value


def _conjugate_first(op: GradientOp, b: TfBuilder) -> tuple[Tensor, Tensor]:
    """The result of the function, conjugated, and the gradient."""
    return b.tensor(b.conjugate(op.x)), b.tensor(op.y)
