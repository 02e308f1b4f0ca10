"""Elementwise operations: result[i] = f(operands[i])."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.attributes import ComparisonDirection, ComparisonType
from tesselle.dialects.stablehlo.base import (
    BOOL_OR_INTEGER,
    FLOAT,
    FLOAT_OR_COMPLEX,
    INTEGER,
    NUMBER,
    PLAIN,
    QUANTIZED,
    SIGNED_FLOAT_OR_COMPLEX,
    merge_shapes,
    require_region,
    same_dtype,
    tensor_type,
    tensor_types,
)
from tesselle.dialects.stablehlo.elementwise_bases import BinaryOp, TranscendentalOp, UnaryOp
from tesselle.dialects.stablehlo.quantized_rules import QuantizableOp, quantized_element, same_baseline
from tesselle.ir.attribute_types import Int32
from tesselle.ir.core import COMMUTATIVE, ELEMENTWISE, PURE, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, result_type_def, variadic_def
from tesselle.ir.types import TensorType, Type
from tesselle.support.dtypes import C64, C128, F32, F64, I1, Kind


@op("stablehlo.abs", PURE, ELEMENTWISE)
class AbsOp(UnaryOp):
    """|x|; for a complex x its modulus, of the part type.

    Errors: I1 (element type), C2 (element type of the result).
    """

    KINDS = SIGNED_FLOAT_OR_COMPLEX
    BASELINE_LABEL = "C2"

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.operand, "I1", self.KINDS | self.QUANTIZED)
        return (t.with_dtype(t.dtype.element),)


@op("stablehlo.cbrt", PURE, ELEMENTWISE)
class CbrtOp(TranscendentalOp):
    """The real cube root of x."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.ceil", PURE, ELEMENTWISE)
class CeilOp(UnaryOp):
    """The least integer that is not below x."""

    KINDS = FLOAT


@op("stablehlo.count_leading_zeros", PURE, ELEMENTWISE)
class CountLeadingZerosOp(UnaryOp):
    """The number of zero bits in front of the first one bit; the width of the type for 0."""

    KINDS = INTEGER
    QUANTIZED = frozenset()


@op("stablehlo.cosine", PURE, ELEMENTWISE)
class CosineOp(TranscendentalOp):
    """cos(x), x in radians."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.exponential", PURE, ELEMENTWISE)
class ExponentialOp(TranscendentalOp):
    """e ** x."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.exponential_minus_one", PURE, ELEMENTWISE)
class ExponentialMinusOneOp(TranscendentalOp):
    """e ** x - 1, exact near 0."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.floor", PURE, ELEMENTWISE)
class FloorOp(UnaryOp):
    """The greatest integer that is not above x."""

    KINDS = FLOAT


@op("stablehlo.log", PURE, ELEMENTWISE)
class LogOp(TranscendentalOp):
    """The natural logarithm of x."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.log_plus_one", PURE, ELEMENTWISE)
class LogPlusOneOp(TranscendentalOp):
    """log(1 + x), exact near 0."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.logistic", PURE, ELEMENTWISE)
class LogisticOp(TranscendentalOp):
    """1 / (1 + e ** -x)."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.negate", PURE, ELEMENTWISE)
class NegateOp(UnaryOp):
    """-x; wraps around for integers."""

    KINDS = NUMBER


@op("stablehlo.not", PURE, ELEMENTWISE)
class NotOp(UnaryOp):
    """Logical not of a boolean, complement of the bits of an integer."""

    KINDS = BOOL_OR_INTEGER
    QUANTIZED = frozenset()


@op("stablehlo.popcnt", PURE, ELEMENTWISE)
class PopcntOp(UnaryOp):
    """The number of one bits."""

    KINDS = INTEGER
    QUANTIZED = frozenset()


@op("stablehlo.round_nearest_afz", PURE, ELEMENTWISE)
class RoundNearestAfzOp(UnaryOp):
    """The nearest integer; ties away from zero."""

    KINDS = FLOAT


@op("stablehlo.round_nearest_even", PURE, ELEMENTWISE)
class RoundNearestEvenOp(UnaryOp):
    """The nearest integer; ties to the even one."""

    KINDS = FLOAT


@op("stablehlo.rsqrt", PURE, ELEMENTWISE)
class RsqrtOp(TranscendentalOp):
    """1 / sqrt(x)."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.sign", PURE, ELEMENTWISE)
class SignOp(UnaryOp):
    """-1, 0 or 1 by the sign of x (-0 and nan stay); x / |x| for complex x."""

    KINDS = SIGNED_FLOAT_OR_COMPLEX


@op("stablehlo.sine", PURE, ELEMENTWISE)
class SineOp(TranscendentalOp):
    """sin(x), x in radians."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.sqrt", PURE, ELEMENTWISE)
class SqrtOp(TranscendentalOp):
    """The square root of x."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.tan", PURE, ELEMENTWISE)
class TanOp(TranscendentalOp):
    """tan(x), x in radians."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.tanh", PURE, ELEMENTWISE)
class TanhOp(TranscendentalOp):
    """The hyperbolic tangent of x."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.add", PURE, ELEMENTWISE, COMMUTATIVE)
class AddOp(BinaryOp):
    """x + y; wraps around for integers, logical or for booleans.

    Quantized operands may have scales along an axis. Errors: I1, I2 (element types), C1 (types differ); quantized: C2
    (not all are), C3, C4 (storage and expressed types), C5, C6, C7 (quantized dimensions). Source: spec, add.
    """

    KINDS = PLAIN

    def infer(self) -> Sequence[Type]:
        a, b = self.lhs.type, self.rhs.type
        if quantized_element(a) is None and quantized_element(b) is None:
            return super().infer()
        x, y = tensor_type(self, a, "I1", per_axis=True), tensor_type(self, b, "I2", per_axis=True)
        return (x.with_shape(merge_shapes(self, (x.shape, y.shape), "C1", "lhs and rhs")),)

    def verify_types(self) -> None:
        lhs, rhs, out = (quantized_element(t) for t in (self.lhs.type, self.rhs.type, self.result.type))
        if lhs is None and rhs is None and out is None:
            super().verify_types()
            return
        shapes = [tensor_type(self, v, "I1", per_axis=True).shape for v in (*self.operands, self.result)]
        merge_shapes(self, shapes, "C1", "lhs, rhs and result")
        if lhs is None or rhs is None or out is None:
            self.fail("C2", "lhs, rhs and result must be quantized when one of them is")
            raise AssertionError
        if not lhs.storage is rhs.storage is out.storage:
            self.fail("C3", f"storage types differ: {lhs.storage}, {rhs.storage} and {out.storage}")
        if not lhs.expressed is rhs.expressed is out.expressed:
            self.fail("C4", f"expressed types differ: {lhs.expressed}, {rhs.expressed} and {out.expressed}")
        if (lhs.is_per_axis or rhs.is_per_axis) != out.is_per_axis:
            self.fail("C5", "the result must be quantized along an axis when, and only when, an operand is")
        for q, label in ((lhs, "C6"), (rhs, "C7")):
            if q.is_per_axis and q.axis != out.axis:
                self.fail(label, f"the quantized dimension {q.axis} must be that of the result, {out.axis}")


@op("stablehlo.and", PURE, ELEMENTWISE, COMMUTATIVE)
class AndOp(BinaryOp):
    """Logical and of booleans, bitwise and of integers."""

    KINDS = BOOL_OR_INTEGER
    QUANTIZED = frozenset()


@op("stablehlo.atan2", PURE, ELEMENTWISE)
class Atan2Op(BinaryOp):
    """The angle of the point (y, x), in (-pi, pi]."""

    KINDS = FLOAT_OR_COMPLEX


@op("stablehlo.divide", PURE, ELEMENTWISE)
class DivideOp(BinaryOp):
    """x / y; truncated for integers."""

    KINDS = NUMBER


@op("stablehlo.maximum", PURE, ELEMENTWISE, COMMUTATIVE)
class MaximumOp(BinaryOp):
    """The larger of x and y; nan when one is nan; logical or for booleans; lexicographic for complex."""

    KINDS = PLAIN


@op("stablehlo.minimum", PURE, ELEMENTWISE, COMMUTATIVE)
class MinimumOp(BinaryOp):
    """The smaller of x and y; nan when one is nan; logical and for booleans; lexicographic for complex."""

    KINDS = PLAIN


@op("stablehlo.multiply", PURE, ELEMENTWISE, COMMUTATIVE)
class MultiplyOp(BinaryOp):
    """x * y; wraps around for integers, logical and for booleans."""

    KINDS = PLAIN


@op("stablehlo.or", PURE, ELEMENTWISE, COMMUTATIVE)
class OrOp(BinaryOp):
    """Logical or of booleans, bitwise or of integers."""

    KINDS = BOOL_OR_INTEGER
    QUANTIZED = frozenset()


@op("stablehlo.power", PURE, ELEMENTWISE)
class PowerOp(BinaryOp):
    """x ** y; integers wrap around, and negative exponents give 0, 1 or -1."""

    KINDS = NUMBER


@op("stablehlo.remainder", PURE, ELEMENTWISE)
class RemainderOp(BinaryOp):
    """x - y * trunc(x / y): has the sign of x."""

    KINDS = NUMBER


@op("stablehlo.shift_left", PURE, ELEMENTWISE)
class ShiftLeftOp(BinaryOp):
    """x << y; 0 when y is not below the width."""

    KINDS = INTEGER
    QUANTIZED = frozenset()


@op("stablehlo.shift_right_arithmetic", PURE, ELEMENTWISE)
class ShiftRightArithmeticOp(BinaryOp):
    """x >> y filling with the sign bit, which is the result when y is not below the width."""

    KINDS = INTEGER
    QUANTIZED = frozenset()


@op("stablehlo.shift_right_logical", PURE, ELEMENTWISE)
class ShiftRightLogicalOp(BinaryOp):
    """x >> y filling with zeros; 0 when y is not below the width."""

    KINDS = INTEGER
    QUANTIZED = frozenset()


@op("stablehlo.subtract", PURE, ELEMENTWISE)
class SubtractOp(BinaryOp):
    """x - y; wraps around for integers."""

    KINDS = NUMBER


@op("stablehlo.xor", PURE, ELEMENTWISE, COMMUTATIVE)
class XorOp(BinaryOp):
    """Logical exclusive or of booleans, bitwise exclusive or of integers."""

    KINDS = BOOL_OR_INTEGER
    QUANTIZED = frozenset()


@op("stablehlo.complex", PURE, ELEMENTWISE)
class ComplexOp(Op):
    """lhs + i * rhs. Errors: I1 (f32 or f64), C1 (types differ)."""

    lhs: Value = operand_def()
    rhs: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        a, b = tensor_type(self, self.lhs, "I1", FLOAT), tensor_type(self, self.rhs, "I2", FLOAT)
        dtype = same_dtype(self, (a, b), "C1", "lhs and rhs")
        self.require(dtype in (F32, F64), "I1", f"expected f32 or f64, found {dtype}")
        shape = merge_shapes(self, (a.shape, b.shape), "C1", "lhs and rhs")
        return (TensorType(shape, C64 if dtype is F32 else C128),)


@op("stablehlo.real", PURE, ELEMENTWISE)
class RealOp(Op):
    """The real part of x. Errors: I1."""

    operand: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.operand, "I1", FLOAT_OR_COMPLEX)
        return (t.with_dtype(t.dtype.element),)


@op("stablehlo.imag", PURE, ELEMENTWISE)
class ImagOp(Op):
    """The imaginary part of x; 0 for real x. Errors: I1."""

    operand: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        t = tensor_type(self, self.operand, "I1", FLOAT_OR_COMPLEX)
        return (t.with_dtype(t.dtype.element),)


@op("stablehlo.is_finite", PURE, ELEMENTWISE)
class IsFiniteOp(Op):
    """True where x is neither an infinity nor nan. Errors: I1."""

    x: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return (tensor_type(self, self.x, "I1", FLOAT | QUANTIZED).with_dtype(I1),)


@op("stablehlo.compare", PURE, ELEMENTWISE)
class CompareOp(Op):
    """lhs[i] <direction> rhs[i], as i1.

    Quantized tensors are compared as the floats that they stand for, whatever the `compare_type`.
    `compare_type` TOTALORDER orders floats by IEEE-754 totalOrder (-nan < -inf < … < -0 < 0 < … < inf < nan).
    Errors: C1 (element types differ), C2 (shapes differ), C3 (compare_type does not fit). Source: spec, compare.
    """

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    comparison_direction: ComparisonDirection = attr_def()
    compare_type: ComparisonType | None = attr_def(default=None)

    def infer(self) -> Sequence[Type]:
        a, b = tensor_type(self, self.lhs, "I1"), tensor_type(self, self.rhs, "I2")
        if a is b:
            return (a.with_dtype(I1),)
        same_baseline(self, (a, b), "C1", "lhs and rhs")
        return (TensorType(merge_shapes(self, (a.shape, b.shape), "C2", "lhs and rhs"), I1),)

    def check(self) -> None:
        kind = self.compare_type
        if kind is None or kind is ComparisonType.NOTYPE:
            return
        dtype = tensor_type(self, self.lhs).dtype
        if not dtype.is_quantized and kind not in _COMPARE_TYPES[dtype.kind]:
            self.fail("C3", f"comparison of {dtype} cannot be {kind.value}")
        if dtype.is_complex and self.comparison_direction not in (ComparisonDirection.EQ, ComparisonDirection.NE):
            self.fail("C4", f"complex numbers are compared with EQ and NE, not {self.comparison_direction.value}")


_COMPARE_TYPES: dict[Kind, tuple[ComparisonType, ...]] = {
    Kind.BOOL: (ComparisonType.UNSIGNED,),
    Kind.SIGNED: (ComparisonType.SIGNED,),
    Kind.UNSIGNED: (ComparisonType.UNSIGNED,),
    Kind.INDEX: (ComparisonType.SIGNED, ComparisonType.UNSIGNED),
    Kind.FLOAT: (ComparisonType.FLOAT, ComparisonType.TOTALORDER),
    Kind.COMPLEX: (ComparisonType.FLOAT,),
}


@op("stablehlo.convert", PURE, ELEMENTWISE)
class ConvertOp(Op):
    """x in another element type; floats to integers truncate, to booleans compare with zero.

    Errors: I1 (quantized: uniform_quantize and uniform_dequantize convert those), C1 (shape). Source: spec, convert.
    """

    operand: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a, b = tensor_type(self, self.operand, "I1", PLAIN), tensor_type(self, self.result_type, "result", PLAIN)
        if a.shape != b.shape:
            merge_shapes(self, (a.shape, b.shape), "C1", "operand and result")


@op("stablehlo.reduce_precision", PURE, ELEMENTWISE)
class ReducePrecisionOp(QuantizableOp):
    """x rounded to a format with the given bits, and back. Errors: I1, C2 (exponent_bits), C3 (mantissa_bits)."""

    operand: Value = operand_def()
    exponent_bits: Int32 = attr_def()
    mantissa_bits: Int32 = attr_def()

    def infer(self) -> Sequence[Type]:
        return (tensor_type(self, self.operand, "I1", FLOAT | QUANTIZED),)

    def check(self) -> None:
        self.require(self.exponent_bits >= 1, "C2", f"exponent_bits must be positive, found {self.exponent_bits}")
        self.require(self.mantissa_bits >= 0, "C3", f"mantissa_bits must not be negative, found {self.mantissa_bits}")


@op("stablehlo.select", PURE, ELEMENTWISE)
class SelectOp(QuantizableOp):
    """pred[i] ? on_true[i] : on_false[i]; a `pred` of rank 0 chooses for all.

    Errors: I1 (pred is not i1), C1 (shape of pred), C2 (types differ). Source: spec, select.
    """

    BASELINE_LABEL = "C2"

    pred: Value = operand_def()
    on_true: Value = operand_def()
    on_false: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        p = tensor_type(self, self.pred)
        self.require(p.dtype is I1, "I1", f"pred must be i1, found {p.dtype}")
        a, b = tensor_type(self, self.on_true, "I2"), tensor_type(self, self.on_false, "I3")
        if a is not b:
            same_baseline(self, (a, b), "C2", "on_true and on_false")
        shape = merge_shapes(self, (a.shape, b.shape), "C2", "on_true and on_false")
        if p.rank:
            shape = merge_shapes(self, (shape, p.shape), "C1", "pred and on_true")
        return (TensorType(shape, a.dtype),)


@op("stablehlo.clamp", PURE, ELEMENTWISE)
class ClampOp(QuantizableOp):
    """minimum(maximum(operand, min), max); bounds of rank 0 hold for all elements.

    Errors: C1, C2 (shapes of the bounds), C3 (element types), C4 (type of the result). Source: spec, clamp.
    """

    BASELINE_LABEL = "C4"

    min: Value = operand_def()
    operand: Value = operand_def()
    max: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        low, t, high = tensor_types(self, self.operands, "I1")
        same_baseline(self, (low, t, high), "C3", "min, operand and max")
        if low.rank:
            merge_shapes(self, (low.shape, t.shape), "C1", "min and operand")
        if high.rank:
            merge_shapes(self, (high.shape, t.shape), "C2", "max and operand")
        return (t,)


@op("stablehlo.map", PURE)
class MapOp(Op):
    """result[i] = computation(inputs[0][i], …, inputs[n-1][i]).

    Errors: C1 (shapes), C2 (no input), C3 (dimensions), C4 (computation). Source: spec, map.
    """

    inputs: Sequence[Value] = variadic_def()
    dimensions: tuple[int, ...] = attr_def()
    computation: Region = region_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.require(len(self.inputs) > 0, "C2", "map needs an input")
        types = tensor_types(self, self.inputs, "I1")
        out = tensor_type(self, self.result_type, "result")
        merge_shapes(self, [t.shape for t in (*types, out)], "C1", "inputs and result")
        want = tuple(range(types[0].rank))
        self.require(self.dimensions == want, "C3", f"dimensions must be {list(want)}, found {list(self.dimensions)}")
        inputs = [TensorType((), t.dtype) for t in types]
        require_region(self, self.computation, inputs, [TensorType((), out.dtype)], "C4", "computation")


@op("stablehlo.bitcast_convert", PURE)
class BitcastConvertOp(Op):
    """The bits of the operand as another element type.

    Shapes: equal widths keep the shape; narrower elements append a dimension, wider ones drop the last.
    Errors: C1 (shape), C2 (complex and real types do not mix). Source: spec, bitcast_convert.
    """

    operand: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        a = tensor_type(self, self.operand, per_axis=True)
        b = tensor_type(self, self.result_type, "result", per_axis=True)
        self.require(a.dtype.is_complex == b.dtype.is_complex, "C2", f"bits of {a.dtype} cannot be read as {b.dtype}")
        wide, narrow = (a, b) if a.dtype.bits >= b.dtype.bits else (b, a)
        if wide.dtype.bits == narrow.dtype.bits:
            merge_shapes(self, (a.shape, b.shape), "C1", "operand and result")
            return
        self.require(
            wide.dtype.bits % narrow.dtype.bits == 0, "C1", f"{wide.dtype} does not hold whole {narrow.dtype}s"
        )
        ratio = wide.dtype.bits // narrow.dtype.bits
        self.require(
            narrow.rank == wide.rank + 1 and narrow.shape[-1] in (None, ratio),
            "C1",
            f"{narrow} must be {wide} with a last dimension of {ratio}",
        )
        merge_shapes(self, (wide.shape, narrow.shape[:-1]), "C1", "operand and result")
