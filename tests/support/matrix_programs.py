# ruff: noqa: E501  (programs are quoted as people write them)
"""The smallest program for every operation of StableHLO and CHLO that computes with tensors, as text with a hole for
the element type.

`$T` is the element type; `$P` the type of the parts of complex numbers (`$T` itself otherwise), `$C` the complex type
whose parts have type `$T` (complex<f32> where there is none), `$ONE` the number one as constants of the type spell it.
What an operation's declaration does not admit is found by instantiating the program and verifying it; nothing is said
here about types.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from tesselle.support.dtypes import DType


@dataclass(frozen=True)
class MatrixProgram:
    """`inputs` and `results`: types of arguments a, b, c… and of the results %0 (or %0#0, %0#1…) of `body`."""

    op: str
    inputs: tuple[str, ...]
    results: tuple[str, ...]
    body: str

    def function(self, name: str, dtype: DType) -> str:
        """The function at one element type, as text."""
        arguments = ", ".join(f"%{letter}: {t}" for letter, t in zip("abcdefgh", self.inputs, strict=False))
        many = len(self.results) > 1
        values = ", ".join(f"%0#{i}" for i in range(len(self.results))) if many else "%0"
        types = ", ".join(self.results)
        text = f"func.func @{name}({arguments}) -> ({types}) {{\n{self.body}\n  return {values} : {types}\n}}\n"
        one = "(1.0, 0.0)" if dtype.is_complex else "1.0" if dtype.is_float else "true" if dtype.is_bool else "1"
        whole = "complex<f64>" if dtype.bits == 64 else "complex<f32>"
        return Template(text).substitute(T=dtype.name, P=dtype.element.name, C=whole, ONE=one)


def _program(op: str, inputs: str, results: str, body: str) -> MatrixProgram:
    """Types are separated by blanks."""
    return MatrixProgram(op, tuple(inputs.split()), tuple(results.split()), body)


_V = "tensor<6x$T>"


def _elementwise(names: str, arity: int, result: str = _V) -> list[MatrixProgram]:
    operands = ", ".join(f"%{letter}" for letter in "abc"[:arity])
    types = ", ".join([_V] * arity)
    return [
        _program(name, " ".join([_V] * arity), result, f'  %0 = "{name}"({operands}) : ({types}) -> {result}')
        for name in names.split()
    ]


_ADD = """({
  ^bb0(%x: tensor<$T>, %y: tensor<$T>):
    %r = stablehlo.add %x, %y : tensor<$T>
    stablehlo.return %r : tensor<$T>
  })"""
_LESS = """({
  ^bb0(%x: tensor<$T>, %y: tensor<$T>):
    %r = stablehlo.compare LT, %x, %y : (tensor<$T>, tensor<$T>) -> tensor<i1>
    stablehlo.return %r : tensor<i1>
  })"""
_NOT_LESS = _LESS.replace("LT", "GE")

PROGRAMS: tuple[MatrixProgram, ...] = (
    *_elementwise(
        "stablehlo.cbrt stablehlo.ceil stablehlo.cosine stablehlo.count_leading_zeros stablehlo.exponential"
        " stablehlo.exponential_minus_one stablehlo.floor stablehlo.log stablehlo.log_plus_one stablehlo.logistic"
        " stablehlo.negate stablehlo.not stablehlo.popcnt stablehlo.round_nearest_afz stablehlo.round_nearest_even"
        " stablehlo.rsqrt stablehlo.sign stablehlo.sine stablehlo.sqrt stablehlo.tan stablehlo.tanh"
        " chlo.acos chlo.acosh chlo.asin chlo.asinh chlo.atan chlo.atanh chlo.bessel_i1e chlo.conj chlo.cosh"
        " chlo.digamma chlo.erf chlo.erf_inv chlo.erfc chlo.lgamma chlo.sinh chlo.square chlo.tan",
        1,
    ),
    *_elementwise("stablehlo.abs stablehlo.real stablehlo.imag", 1, "tensor<6x$P>"),
    *_elementwise("stablehlo.is_finite chlo.is_inf chlo.is_neg_inf chlo.is_pos_inf", 1, "tensor<6xi1>"),
    *_elementwise(
        "stablehlo.add stablehlo.and stablehlo.atan2 stablehlo.divide stablehlo.maximum stablehlo.minimum"
        " stablehlo.multiply stablehlo.or stablehlo.power stablehlo.remainder stablehlo.shift_left"
        " stablehlo.shift_right_arithmetic stablehlo.shift_right_logical stablehlo.subtract stablehlo.xor"
        " chlo.broadcast_add chlo.broadcast_and chlo.broadcast_atan2 chlo.broadcast_divide chlo.broadcast_maximum"
        " chlo.broadcast_minimum chlo.broadcast_multiply chlo.broadcast_next_after chlo.broadcast_or"
        " chlo.broadcast_power chlo.broadcast_remainder chlo.broadcast_shift_left"
        " chlo.broadcast_shift_right_arithmetic chlo.broadcast_shift_right_logical chlo.broadcast_subtract"
        " chlo.broadcast_xor chlo.mulhi chlo.next_after chlo.polygamma chlo.zeta",
        2,
    ),
    *_elementwise("stablehlo.complex chlo.broadcast_complex", 2, "tensor<6x$C>"),
    *_elementwise("stablehlo.clamp", 3),
    _program(
        "stablehlo.compare",
        f"{_V} {_V}",
        "tensor<6xi1>",
        f"  %0 = stablehlo.compare LT, %a, %b : ({_V}, {_V}) -> tensor<6xi1>",
    ),
    _program(
        "chlo.broadcast_compare",
        f"{_V} {_V}",
        "tensor<6xi1>",
        '  %0 = "chlo.broadcast_compare"(%a, %b) {comparison_direction = #chlo<comparison_direction GE>}'
        f" : ({_V}, {_V}) -> tensor<6xi1>",
    ),
    _program(
        "stablehlo.select",
        f"tensor<6xi1> {_V} {_V}",
        _V,
        f"  %0 = stablehlo.select %a, %b, %c : tensor<6xi1>, {_V}",
    ),
    _program(
        "chlo.broadcast_select",
        f"tensor<6xi1> {_V} {_V}",
        _V,
        f'  %0 = "chlo.broadcast_select"(%a, %b, %c) : (tensor<6xi1>, {_V}, {_V}) -> {_V}',
    ),
    _program(
        "stablehlo.convert",
        f"{_V} tensor<6xi32>",
        f"tensor<6xf32> {_V}",
        f"  %1 = stablehlo.convert %a : ({_V}) -> tensor<6xf32>\n  %2 = stablehlo.convert %b : (tensor<6xi32>) -> {_V}\n"
        f"  %0:2 = stablehlo.optimization_barrier %1, %2 : tensor<6xf32>, {_V}",
    ),
    _program(
        "stablehlo.reduce_precision",
        _V,
        _V,
        f"  %0 = stablehlo.reduce_precision %a, format = e3m1 : {_V}",
    ),
    _program(
        "stablehlo.map",
        f"{_V} {_V}",
        _V,
        f'  %0 = "stablehlo.map"(%a, %b) <{{dimensions = array<i64: 0>}}> {_ADD} : ({_V}, {_V}) -> {_V}',
    ),
    _program(
        "chlo.constant_like", _V, _V, '  %0 = "chlo.constant_like"(%a) <{value = $ONE : $T}> : (' + _V + ") -> " + _V
    ),
    # ------------------------------------------------------------------------------------ shapes and data movement
    _program("stablehlo.bitcast_convert", _V, _V, f"  %0 = stablehlo.bitcast_convert %a : ({_V}) -> {_V}"),
    _program(
        "stablehlo.broadcast",
        _V,
        "tensor<2x6x$T>",
        f"  %0 = stablehlo.broadcast %a, sizes = [2] : ({_V}) -> tensor<2x6x$T>",
    ),
    _program(
        "stablehlo.broadcast_in_dim",
        _V,
        "tensor<6x2x$T>",
        f"  %0 = stablehlo.broadcast_in_dim %a, dims = [0] : ({_V}) -> tensor<6x2x$T>",
    ),
    _program(
        "stablehlo.concatenate",
        f"{_V} tensor<3x$T>",
        "tensor<9x$T>",
        f"  %0 = stablehlo.concatenate %a, %b, dim = 0 : ({_V}, tensor<3x$T>) -> tensor<9x$T>",
    ),
    _program("stablehlo.iota", "", "tensor<2x3x$T>", "  %0 = stablehlo.iota dim = 1 : tensor<2x3x$T>"),
    _program(
        "stablehlo.constant", "", "tensor<3x$T>", "  %0 = stablehlo.constant dense<[$ONE, $ONE, $ONE]> : tensor<3x$T>"
    ),
    _program(
        "stablehlo.pad",
        "tensor<2x3x$T> tensor<$T>",
        "tensor<4x7x$T>",
        "  %0 = stablehlo.pad %a, %b, low = [1, 2], high = [1, 0], interior = [0, 1]"
        " : (tensor<2x3x$T>, tensor<$T>) -> tensor<4x7x$T>",
    ),
    _program("stablehlo.reshape", "tensor<2x3x$T>", _V, f"  %0 = stablehlo.reshape %a : (tensor<2x3x$T>) -> {_V}"),
    _program("stablehlo.reverse", _V, _V, f"  %0 = stablehlo.reverse %a, dims = [0] : {_V}"),
    _program("stablehlo.slice", _V, "tensor<2x$T>", f"  %0 = stablehlo.slice %a [1:5:2] : ({_V}) -> tensor<2x$T>"),
    _program(
        "stablehlo.transpose",
        "tensor<2x3x$T>",
        "tensor<3x2x$T>",
        "  %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<2x3x$T>) -> tensor<3x2x$T>",
    ),
    _program("stablehlo.optimization_barrier", _V, _V, f"  %0 = stablehlo.optimization_barrier %a : {_V}"),
    _program(
        "stablehlo.dynamic_slice",
        f"{_V} tensor<i32>",
        "tensor<2x$T>",
        f"  %0 = stablehlo.dynamic_slice %a, %b, sizes = [2] : ({_V}, tensor<i32>) -> tensor<2x$T>",
    ),
    _program(
        "stablehlo.dynamic_update_slice",
        f"{_V} tensor<2x$T> tensor<i32>",
        _V,
        f"  %0 = stablehlo.dynamic_update_slice %a, %b, %c : ({_V}, tensor<2x$T>, tensor<i32>) -> {_V}",
    ),
    _program(
        "stablehlo.gather",
        "tensor<3x2x$T> tensor<4x1xi32>",
        "tensor<4x2x$T>",
        '  %0 = "stablehlo.gather"(%a, %b) <{dimension_numbers = #stablehlo.gather<offset_dims = [1],'
        " collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 2>}>"
        " : (tensor<3x2x$T>, tensor<4x1xi32>) -> tensor<4x2x$T>",
    ),
    _program(
        "stablehlo.scatter",
        "tensor<3x2x$T> tensor<4x1xi32> tensor<4x2x$T>",
        "tensor<3x2x$T>",
        '  %0 = "stablehlo.scatter"(%a, %b, %c) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims ='
        " [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> "
        f"{_ADD} : (tensor<3x2x$T>, tensor<4x1xi32>, tensor<4x2x$T>) -> tensor<3x2x$T>",
    ),
    _program(
        "stablehlo.torch_index_select",
        "tensor<3x2x$T> tensor<4xi32>",
        "tensor<4x2x$T>",
        '  %0 = "stablehlo.torch_index_select"(%a, %b) <{dim = 0 : i64, batch_dims = 0 : i64}>'
        " : (tensor<3x2x$T>, tensor<4xi32>) -> tensor<4x2x$T>",
    ),
    _program(
        "stablehlo.sort",
        _V,
        _V,
        f'  %0 = "stablehlo.sort"(%a) <{{dimension = 0 : i64, is_stable = true}}> {_LESS} : ({_V}) -> {_V}',
    ),
    _program(
        "chlo.top_k",
        _V,
        "tensor<2x$T> tensor<2xi32>",
        f"  %0:2 = chlo.top_k(%a, k = 2) : {_V} -> (tensor<2x$T>, tensor<2xi32>)",
    ),
    # ------------------------------------------------------------------------------------ dynamic shapes
    _program(
        "stablehlo.dynamic_broadcast_in_dim",
        _V,
        "tensor<2x6x$T>",
        "  %s = stablehlo.constant dense<[2, 6]> : tensor<2xi64>\n"
        f"  %0 = stablehlo.dynamic_broadcast_in_dim %a, %s, dims = [1] : ({_V}, tensor<2xi64>) -> tensor<2x6x$T>",
    ),
    _program(
        "stablehlo.dynamic_iota",
        "",
        "tensor<2x3x$T>",
        "  %s = stablehlo.constant dense<[2, 3]> : tensor<2xi64>\n"
        "  %0 = stablehlo.dynamic_iota %s, dim = 1 : (tensor<2xi64>) -> tensor<2x3x$T>",
    ),
    _program(
        "stablehlo.dynamic_pad",
        f"{_V} tensor<$T>",
        "tensor<9x$T>",
        "  %s = stablehlo.constant dense<[1]> : tensor<1xi64>\n  %t = stablehlo.constant dense<[2]> : tensor<1xi64>\n"
        "  %u = stablehlo.constant dense<[0]> : tensor<1xi64>\n"
        f"  %0 = stablehlo.dynamic_pad %a, %b, %s, %t, %u : ({_V}, tensor<$T>, tensor<1xi64>, tensor<1xi64>,"
        " tensor<1xi64>) -> tensor<9x$T>",
    ),
    _program(
        "stablehlo.dynamic_reshape",
        _V,
        "tensor<2x3x$T>",
        "  %s = stablehlo.constant dense<[2, 3]> : tensor<2xi64>\n"
        f"  %0 = stablehlo.dynamic_reshape %a, %s : ({_V}, tensor<2xi64>) -> tensor<2x3x$T>",
    ),
    _program(
        "stablehlo.dynamic_gather",
        "tensor<3x2x$T> tensor<4x1xi32>",
        "tensor<4x2x$T>",
        "  %s = stablehlo.constant dense<[1, 2]> : tensor<2xi32>\n"
        '  %0 = "stablehlo.dynamic_gather"(%a, %b, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [1],'
        " collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}>"
        " : (tensor<3x2x$T>, tensor<4x1xi32>, tensor<2xi32>) -> tensor<4x2x$T>",
    ),
    _program(
        "stablehlo.dynamic_conv",
        "tensor<1x5x2x$T> tensor<3x2x2x$T>",
        "tensor<1x4x2x$T>",
        "  %s = stablehlo.constant dense<[[1, 0]]> : tensor<1x2xi64>\n"
        '  %0 = "stablehlo.dynamic_conv"(%a, %b, %s) <{batch_group_count = 1 : i64, dimension_numbers ='
        " #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64}>"
        " : (tensor<1x5x2x$T>, tensor<3x2x2x$T>, tensor<1x2xi64>) -> tensor<1x4x2x$T>",
    ),
    _program(
        "stablehlo.real_dynamic_slice",
        _V,
        "tensor<2x$T>",
        "  %s = stablehlo.constant dense<[1]> : tensor<1xi64>\n  %t = stablehlo.constant dense<[5]> : tensor<1xi64>\n"
        "  %u = stablehlo.constant dense<[2]> : tensor<1xi64>\n"
        f"  %0 = stablehlo.real_dynamic_slice %a, %s, %t, %u : ({_V}, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)"
        " -> tensor<2x$T>",
    ),
    _program(
        "stablehlo.get_dimension_size",
        _V,
        "tensor<i32>",
        f"  %0 = stablehlo.get_dimension_size %a, dim = 0 : ({_V}) -> tensor<i32>",
    ),
    _program(
        "stablehlo.set_dimension_size",
        _V,
        "tensor<6x$T>",
        "  %s = stablehlo.constant dense<6> : tensor<i32>\n"
        f"  %0 = stablehlo.set_dimension_size %a, %s, dim = 0 : ({_V}, tensor<i32>) -> tensor<6x$T>",
    ),
    # ------------------------------------------------------------------------------------ reductions and windows
    _program(
        "stablehlo.reduce",
        "tensor<2x6x$T> tensor<$T>",
        "tensor<2x$T>",
        f'  %0 = "stablehlo.reduce"(%a, %b) <{{dimensions = array<i64: 1>}}> {_ADD}'
        " : (tensor<2x6x$T>, tensor<$T>) -> tensor<2x$T>",
    ),
    _program(
        "stablehlo.reduce_window",
        f"{_V} tensor<$T>",
        "tensor<5x$T>",
        f'  %0 = "stablehlo.reduce_window"(%a, %b) <{{window_dimensions = array<i64: 2>}}> {_ADD}'
        f" : ({_V}, tensor<$T>) -> tensor<5x$T>",
    ),
    _program(
        "stablehlo.select_and_scatter",
        f"{_V} tensor<3x$T> tensor<$T>",
        _V,
        '  %0 = "stablehlo.select_and_scatter"(%a, %b, %c) <{window_dimensions = array<i64: 2>, window_strides ='
        f" array<i64: 2>}}> ({_NOT_LESS[1:-1]}, {_ADD[1:-1]}) : ({_V}, tensor<3x$T>, tensor<$T>) -> {_V}",
    ),
    _program(
        "stablehlo.dot_general",
        "tensor<2x6x$T> tensor<6x3x$T>",
        "tensor<2x3x$T>",
        "  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0]"
        " : (tensor<2x6x$T>, tensor<6x3x$T>) -> tensor<2x3x$T>",
    ),
    _program(
        "stablehlo.dot",
        "tensor<2x6x$T> tensor<6x3x$T>",
        "tensor<2x3x$T>",
        "  %0 = stablehlo.dot %a, %b : (tensor<2x6x$T>, tensor<6x3x$T>) -> tensor<2x3x$T>",
    ),
    _program(
        "stablehlo.einsum",
        "tensor<2x6x$T> tensor<6x3x$T>",
        "tensor<2x3x$T>",
        '  %0 = stablehlo.einsum %a, %b, config = "ij,jk->ik" : (tensor<2x6x$T>, tensor<6x3x$T>) -> tensor<2x3x$T>',
    ),
    _program(
        "stablehlo.unary_einsum",
        "tensor<2x6x$T>",
        "tensor<2x$T>",
        '  %0 = stablehlo.unary_einsum %a, config = "ij->i" : (tensor<2x6x$T>) -> tensor<2x$T>',
    ),
    _program(
        "stablehlo.convolution",
        "tensor<1x5x2x$T> tensor<3x2x2x$T>",
        "tensor<1x3x2x$T>",
        "  %0 = stablehlo.convolution(%a, %b) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], window = {}"
        " {batch_group_count = 1 : i64, feature_group_count = 1 : i64}"
        " : (tensor<1x5x2x$T>, tensor<3x2x2x$T>) -> tensor<1x3x2x$T>",
    ),
    _program(
        "stablehlo.batch_norm_inference",
        "tensor<4x3x$T> tensor<3x$T> tensor<3x$T> tensor<3x$T> tensor<3x$T>",
        "tensor<4x3x$T>",
        '  %0 = "stablehlo.batch_norm_inference"(%a, %b, %c, %d, %e) <{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}>'
        " : (tensor<4x3x$T>, tensor<3x$T>, tensor<3x$T>, tensor<3x$T>, tensor<3x$T>) -> tensor<4x3x$T>",
    ),
    _program(
        "stablehlo.batch_norm_training",
        "tensor<4x3x$T> tensor<3x$T> tensor<3x$T>",
        "tensor<4x3x$T> tensor<3x$T> tensor<3x$T>",
        '  %0:3 = "stablehlo.batch_norm_training"(%a, %b, %c) <{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}>'
        " : (tensor<4x3x$T>, tensor<3x$T>, tensor<3x$T>) -> (tensor<4x3x$T>, tensor<3x$T>, tensor<3x$T>)",
    ),
    _program(
        "stablehlo.batch_norm_grad",
        "tensor<4x3x$T> tensor<3x$T> tensor<3x$T> tensor<3x$T> tensor<4x3x$T>",
        "tensor<4x3x$T> tensor<3x$T> tensor<3x$T>",
        '  %0:3 = "stablehlo.batch_norm_grad"(%a, %b, %c, %d, %e) <{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}>'
        " : (tensor<4x3x$T>, tensor<3x$T>, tensor<3x$T>, tensor<3x$T>, tensor<4x3x$T>)"
        " -> (tensor<4x3x$T>, tensor<3x$T>, tensor<3x$T>)",
    ),
    # ------------------------------------------------------------------------------------ linear algebra, fft, random
    _program(
        "stablehlo.cholesky",
        "tensor<2x2x$T>",
        "tensor<2x2x$T>",
        "  %0 = stablehlo.cholesky %a, lower = true : tensor<2x2x$T>",
    ),
    _program(
        "stablehlo.triangular_solve",
        "tensor<2x2x$T> tensor<2x3x$T>",
        "tensor<2x3x$T>",
        '  %0 = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = true,'
        " transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<2x2x$T>, tensor<2x3x$T>) -> tensor<2x3x$T>",
    ),
    _program(
        "stablehlo.fft",
        "tensor<4x$T>",
        "tensor<4x$T>",
        "  %0 = stablehlo.fft %a, type = FFT, length = [4] : (tensor<4x$T>) -> tensor<4x$T>",
    ),
    _program(
        "stablehlo.fft",
        "tensor<4x$T>",
        "tensor<3x$C>",
        "  %0 = stablehlo.fft %a, type = RFFT, length = [4] : (tensor<4x$T>) -> tensor<3x$C>",
    ),
    _program(
        "stablehlo.rng_bit_generator",
        "tensor<2xui64>",
        "tensor<2xui64> tensor<6x$T>",
        "  %0:2 = stablehlo.rng_bit_generator %a, algorithm = THREE_FRY"
        " : (tensor<2xui64>) -> (tensor<2xui64>, tensor<6x$T>)",
    ),
    _program(
        "stablehlo.rng",
        "tensor<$T> tensor<$T>",
        _V,
        "  %s = stablehlo.constant dense<[6]> : tensor<1xi64>\n"
        f"  %0 = stablehlo.rng %a, %b, %s, distribution = UNIFORM : (tensor<$T>, tensor<$T>, tensor<1xi64>) -> {_V}",
    ),
    # ------------------------------------------------------------------------------------ control flow
    _program(
        "stablehlo.while",
        _V,
        _V,
        "  %i = stablehlo.constant dense<0> : tensor<i32>\n  %n = stablehlo.constant dense<3> : tensor<i32>\n"
        "  %l = stablehlo.constant dense<1> : tensor<i32>\n"
        f"  %1:2 = stablehlo.while(%j = %i, %x = %a) : tensor<i32>, {_V}\n"
        "    cond {\n      %c = stablehlo.compare LT, %j, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>\n"
        "      stablehlo.return %c : tensor<i1>\n    } do {\n      %k = stablehlo.add %j, %l : tensor<i32>\n"
        f"      %y = stablehlo.add %x, %x : {_V}\n      stablehlo.return %k, %y : tensor<i32>, {_V}\n    }}\n"
        f"  %0 = stablehlo.optimization_barrier %1#1 : {_V}",
    ),
    _program(
        "stablehlo.if",
        f"tensor<i1> {_V} {_V}",
        _V,
        f'  %0 = "stablehlo.if"(%a) ({{\n    stablehlo.return %b : {_V}\n  }}, {{\n    stablehlo.return %c : {_V}\n  }})'
        f" : (tensor<i1>) -> {_V}",
    ),
    _program(
        "stablehlo.case",
        f"tensor<i32> {_V} {_V}",
        _V,
        f'  %0 = "stablehlo.case"(%a) ({{\n    stablehlo.return %b : {_V}\n  }}, {{\n    stablehlo.return %c : {_V}\n  }})'
        f" : (tensor<i32>) -> {_V}",
    ),
    _program(
        "stablehlo.tuple",
        f"{_V} {_V}",
        _V,
        f"  %1 = stablehlo.tuple %a, %b : tuple<{_V}, {_V}>\n"
        f"  %0 = stablehlo.get_tuple_element %1[1] : (tuple<{_V}, {_V}>) -> {_V}",
    ),
    _program(
        "stablehlo.all_reduce",
        _V,
        _V,
        '  %0 = "stablehlo.all_reduce"(%a) <{replica_groups = dense<[[0]]> : tensor<1x1xi64>}> '
        f"{_ADD} : ({_V}) -> {_V}",
    ),
    _program(
        "stablehlo.all_gather",
        _V,
        _V,
        '  %0 = "stablehlo.all_gather"(%a) <{all_gather_dim = 0 : i64, replica_groups = dense<[[0]]> : tensor<1x1xi64>}>'
        f" : ({_V}) -> {_V}",
    ),
    _program(
        "stablehlo.all_to_all",
        _V,
        _V,
        '  %0 = "stablehlo.all_to_all"(%a) <{split_dimension = 0 : i64, concat_dimension = 0 : i64, split_count = 1 :'
        f" i64, replica_groups = dense<[[0]]> : tensor<1x1xi64>}}> : ({_V}) -> {_V}",
    ),
    _program(
        "stablehlo.collective_broadcast",
        _V,
        _V,
        '  %0 = "stablehlo.collective_broadcast"(%a) <{replica_groups = dense<[[0]]> : tensor<1x1xi64>}>'
        f" : ({_V}) -> {_V}",
    ),
    _program(
        "stablehlo.collective_permute",
        _V,
        _V,
        '  %0 = "stablehlo.collective_permute"(%a) <{source_target_pairs = dense<[[0, 0]]> : tensor<1x2xi64>}>'
        f" : ({_V}) -> {_V}",
    ),
    _program(
        "stablehlo.reduce_scatter",
        _V,
        _V,
        '  %0 = "stablehlo.reduce_scatter"(%a) <{scatter_dimension = 0 : i64, replica_groups = dense<[[0]]> :'
        f" tensor<1x1xi64>}}> {_ADD} : ({_V}) -> {_V}",
    ),
)
"""In the order of the table; where an operation has several, each admits other types."""

WITHOUT_PROGRAM: dict[str, str] = {
    "chlo._asin_acos_kernel": "part of chlo.asin and chlo.acos",
    "chlo.broadcast_polygamma": "chlo.polygamma after broadcasting",
    "chlo.broadcast_zeta": "chlo.zeta after broadcasting",
    "chlo.constant": "stablehlo.constant under another name",
    "chlo.ragged_dot": "its products are those of stablehlo.dot_general",
    "chlo.scan": "a loop: its body's operations decide",
    "stablehlo.after_all": "tokens have no elements",
    "stablehlo.async_done": "with stablehlo.async_start",
    "stablehlo.async_start": "its computation decides",
    "stablehlo.composite": "its decomposition decides",
    "stablehlo.create_token": "tokens have no elements",
    "stablehlo.cross-replica-sum": "stablehlo.all_reduce under an old name",
    "stablehlo.custom_call": "its target decides",
    "stablehlo.get_tuple_element": "with stablehlo.tuple",
    "stablehlo.infeed": "the host decides",
    "stablehlo.outfeed": "the host decides",
    "stablehlo.partition_id": "always ui32",
    "stablehlo.recv": "the other side decides",
    "stablehlo.replica_id": "always ui32",
    "stablehlo.return": "ends a region",
    "stablehlo.send": "the other side decides",
    "stablehlo.uniform_dequantize": "of quantized types",
    "stablehlo.uniform_quantize": "of quantized types",
}
"""Operations that no program of one element type shows, with the reason."""
