"""expand-rng: random bits and random numbers become integer arithmetic on counters.

%s1, %bits = stablehlo.rng_bit_generator %s0, algorithm = THREE_FRY : tensor<8xui32>
->
iota, adds, shifts and exclusive ors; the bits and the next state are XLA's

stablehlo.rng, whose bits no specification fixes, has no state of its own. All of them in a function share a counter of
draws, which starts at 0 with every call of the function and goes through loops and branches: every draw of a call
differs from the others, and calls repeat.

%r = stablehlo.rng %a, %b, %shape, distribution = UNIFORM
->
%bits = threefry(element, draw); %r = %a + (%b - %a) * %bits / 2**64; %draw1 = %draw0 + 1
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tesselle.dialects.chlo.elementwise import ErfInvOp, MulhiOp
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import control_flow as cf
from tesselle.dialects.stablehlo.attributes import RngAlgorithm, RngDistribution
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.custom_calls import DYNAMIC_RNG
from tesselle.dialects.stablehlo.dynamic import DynamicBroadcastInDimOp, DynamicIotaOp
from tesselle.dialects.stablehlo.linear_algebra import RngBitGeneratorOp, RngOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.types import TensorType
from tesselle.passes.input import dynamic_random_bits
from tesselle.passes.input.random_bits import (
    join,
    linear_index,
    philox_bits,
    split,
    threefry,
    threefry_bits,
)
from tesselle.passes.input.stablehlo_expressions import Tensor, concatenate, splat
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import F32, F64, I64, UI2, UI32, UI64, DType

DRAWS = TensorType((), UI32)
"""The type of the counter of draws."""


@register_pass("expand-rng")
@dataclass(frozen=True)
class ExpandRng(Pass):
    """Expand rng_bit_generator and rng. Errors: Unsupported for rng in the body of a reduction, map, sort or scatter,
    and in the condition of a loop."""

    def run(self, module: Op) -> None:
        found = [op for op in module.walk() if isinstance(op, RngBitGeneratorOp | RngOp) or _is_dynamic(op)]
        for op in found:
            if isinstance(op, RngBitGeneratorOp):
                op.replace_with(expand_rng_bit_generator(op, Builder.before_op(op)))
            elif isinstance(op, CustomCallOp):
                op.replace_with(_expand_dynamic_bits(op, Builder.before_op(op)))
        if not any(isinstance(op, RngOp) for op in found):
            return
        for function in [op for op in module.walk() if isinstance(op, FuncOp)]:
            if any(isinstance(op, RngOp) for op in function.walk()):
                entry = function.entry
                draws = splat(Builder(entry, entry.first, function.location), 0, DRAWS)
                _thread(entry, draws.value)


def _is_dynamic(op: Op) -> bool:
    return isinstance(op, CustomCallOp) and op.call_target_name == DYNAMIC_RNG


def expand_rng_bit_generator(op: RngBitGeneratorOp, b: Builder) -> list[Value]:
    """The next state and the bits. Floats get the bit patterns; DEFAULT is Philox, as XLA has it for CPUs."""
    return _random_bits(op, Tensor(b, op.initial_state), op.rng_algorithm, tensor_type(op.results[1]), None)


def _expand_dynamic_bits(op: CustomCallOp, b: Builder) -> list[Value]:
    """custom_call @stablehlo.dynamic_rng_bit_generator(state, shape) {rng_algorithm}: the shape is an operand."""
    algorithm = op.attributes.get("rng_algorithm")
    types = [t for t in op.result_types if isinstance(t, TensorType)]
    if not isinstance(algorithm, RngAlgorithm) or len(types) != 2 or len(op.inputs) != 2:
        raise Unsupported(f"@{op.call_target_name} needs a rng_algorithm", op.location, op.name)
    return _random_bits(op, Tensor(b, op.inputs[0]), algorithm, types[1], Tensor(b, op.inputs[1]))


def _random_bits(op: Op, state: Tensor, algorithm: RngAlgorithm, out: TensorType, shape: Tensor | None) -> list[Value]:
    """`shape`: the dimensions of `out` as a vector, where its type leaves some open."""
    given, b = state.type, state.b
    if not given.is_static or (shape is None and not out.is_static):
        raise Unsupported("rng_bit_generator of dynamic shapes is not supported", op.location, f"{op.name}.dynamic")
    words = given.element_count * given.dtype.bits // 64
    if given.dtype not in (UI32, UI64) or words not in (2, 3) or given.element_count * given.dtype.bits % 64:
        raise Unsupported(
            f"a state of {given} is not supported: it has two or three words of 64 bits",
            op.location,
            f"{op.name}.state",
        )
    if out.is_static and not out.element_count:
        return [state.value, splat(b, 0, out).value]
    if given.dtype is UI32:
        state = state.reshape([words, 2]).bitcast(TensorType((words,), UI64))
    # No integer has the six bits of some floats: they get the low bits of bytes.
    width = 8 if out.dtype.bits == 6 else out.dtype.bits
    is_threefry = algorithm is RngAlgorithm.THREE_FRY
    if shape is not None and not out.is_static:
        generate = dynamic_random_bits.threefry_bits if is_threefry else dynamic_random_bits.philox_bits
        bits, after = generate(state, shape, out, width)
    else:
        bits, after = (threefry_bits if is_threefry else philox_bits)(state, out.static_shape, width)
    if given.dtype is UI32:
        after = after.bitcast(TensorType((words, 2), UI32)).reshape(given.static_shape)
    if width == out.dtype.bits:
        return [after.value, bits.bitcast(out).value]
    if not out.is_static:
        raise Unsupported(f"random bits in a {out}, whose elements have six bits", op.location, f"{op.name}.dynamic")
    pairs = [(bits >> k).convert(UI2).reshape([*out.static_shape, 1]) for k in range(0, out.dtype.bits, 2)]
    return [after.value, concatenate(pairs, out.rank).bitcast(out).value]


# ------------------------------------------------------------------------------------------ the counter of draws


def _thread(block: Block, draws: Value) -> Value:
    """Expand every rng in `block`; the count of draws behind it, which is `draws` in front of it."""
    for op in list(block):
        if isinstance(op, RngOp):
            b = Builder.before_op(op)
            before = Tensor(b, draws)
            numbers, draws = expand_rng(op, before), (before + 1).value
            op.replace_with(numbers.value)
        elif op.regions and any(isinstance(inner, RngOp) for inner in op.walk()):
            draws = _thread_through(op, draws)
    return draws


def _thread_through(op: Op, draws: Value) -> Value:
    """Replace a loop or a branch by one that carries the count of draws too."""
    b = Builder.before_op(op)
    new: cf.WhileOp | cf.IfOp | cf.CaseOp
    if isinstance(op, cf.WhileOp) and not any(isinstance(inner, RngOp) for inner in op.cond.walk()):
        op.cond.block.add_arg(DRAWS)
        _return_too(op.body, _thread(op.body.block, op.body.block.add_arg(DRAWS)))
        new = cf.WhileOp((*op.operands, draws), _taken(op.cond), _taken(op.body))
    elif isinstance(op, cf.IfOp | cf.CaseOp):
        for region in op.regions:
            _return_too(region, _thread(region.block, draws))
        types = (*op.result_types, DRAWS)
        if isinstance(op, cf.IfOp):
            new = cf.IfOp(op.pred, _taken(op.true_branch), _taken(op.false_branch), types)
        else:
            new = cf.CaseOp(op.index, [_taken(region) for region in op.branches], types)
    else:
        raise Unsupported(f"random numbers in a region of {op.name} are not supported", op.location, RngOp.NAME)
    *results, after = b.insert(new).results
    op.replace_with(results)
    return after


def _return_too(region: Region, value: Value) -> None:
    end = region.block.terminator
    end.set_operands((*end.operands, value))


def _taken(region: Region) -> Region:
    new = Region()
    new.take_blocks(region)
    return new


# ------------------------------------------------------------------------------------------ numbers

_SEED = 0x7E55E11E


def expand_rng(op: RngOp, draws: Tensor) -> Tensor:
    """Numbers from 64 bits for every element: Threefry of (element, low word; draw) under (element, high word; seed).

    UNIFORM: a + (b - a) * u, with u a multiple of 2**-p in [0, 1) for floats of p significant bits (never b, where a
    number below it exists); integers a + ((b - a) * bits >> 64). NORMAL: a + b * sqrt(2) * erf_inv(v), v odd multiples
    of 2**-53 in (-1, 1).
    """
    t = op.result_type
    index = _linear_index(op, draws.b)
    low, high = split(index)
    counter = low, _spread(op, draws, index)
    bits = join(*threefry(counter, (high, high.number(_SEED))))
    a, b = (_spread(op, Tensor(draws.b, v), index) for v in (op.a, op.b))
    if op.rng_distribution is RngDistribution.NORMAL:
        return _normal(bits, a, b, t.dtype)
    return _uniform(bits, a, b, t.dtype)


def _linear_index(op: RngOp, b: Builder) -> Tensor:
    """The number of every element of the result in row-major order, as ui64."""
    t = op.result_type.with_dtype(UI64)
    if t.is_static:
        return linear_index(b, t.static_shape)
    total: Tensor | None = None
    for d, size in enumerate(t.shape):
        place = Tensor(b, b.insert(DynamicIotaOp(op.shape, d, t)).result)
        if total is None:
            total = place
        elif size is not None:
            total = total * size + place
        else:
            total = total * _spread(op, Tensor(b, op.shape).element(d).convert(UI64), place) + place
    assert total is not None
    return total


def _spread(op: RngOp, scalar: Tensor, like: Tensor) -> Tensor:
    """A tensor of rank 0 in the result's shape."""
    t = like.type.with_dtype(scalar.type.dtype)
    if t.is_static:
        return scalar.broadcast(t.static_shape)
    return Tensor(scalar.b, scalar.b.insert(DynamicBroadcastInDimOp(scalar.value, op.shape, (), t)).result)


def _uniform(bits: Tensor, a: Tensor, b: Tensor, dtype: DType) -> Tensor:
    if dtype.is_complex:
        raise Unsupported("random complex numbers are not supported", bits.b.location, RngOp.NAME)
    if not dtype.is_float:
        wide = a.convert(UI64) if not dtype.is_signed else a.convert(I64)
        size = b.convert(wide.type.dtype) - wide
        amount = bits.apply(MulhiOp, size.bitcast(size.type.with_dtype(UI64)))
        return (wide + amount.bitcast(wide.type)).convert(dtype)
    compute = F64 if dtype is F64 else F32
    precision = _SIGNIFICANT_BITS.get(dtype.name, dtype.bits)
    unit = (bits >> (64 - precision)).convert(compute) * 2.0**-precision
    low, high = a.convert(compute), b.convert(compute)
    numbers = (low + unit * (high - low)).convert(dtype)
    # Rounding may reach the upper bound, which does not belong to the interval.
    return a.where(b <= numbers, numbers)


_SIGNIFICANT_BITS = {"f64": 53, "f32": 24, "f16": 11, "bf16": 8, "f8E5M2": 3, "f8E4M3FN": 4}


def _normal(bits: Tensor, mean: Tensor, deviation: Tensor, dtype: DType) -> Tensor:
    signed = (bits >> 11).convert(F64)  # 53 bits: exact
    place = (signed + 0.5) * 2.0**-52 - 1.0
    standard = place.apply(ErfInvOp) * math.sqrt(2)
    return (mean.convert(F64) + standard * deviation.convert(F64)).convert(dtype)
