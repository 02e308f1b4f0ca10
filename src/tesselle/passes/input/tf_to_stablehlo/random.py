"""Random numbers, bit for bit those of TensorFlow on a CPU: the words of Philox-4x32 and how they become numbers.

Four words belong to a counter. Source: TensorFlow, `core/lib/random/random_distributions.h` and `philox_random.h`,
`core/kernels/stateless_random_ops_v2.cc`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.stablehlo.control_flow import ReturnOp, WhileOp
from tesselle.dialects.tf import random as tf
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import TensorType
from tesselle.passes.input.random_bits import philox, split
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.passes.input.tf_to_stablehlo.shape import shaped
from tesselle.passes.input.tf_to_stablehlo.variables import read, write
from tesselle.support.dtypes import BF16, F16, F32, F64, I32, I64, UI16, UI32, UI64, DType

SCRAMBLE = (0x3EC8F720, 0x02461E29)
"""The key under which seeds are scrambled."""

RESERVED = 256
"""How many words are kept for every number that may be drawn again."""


class _State:
    """A key of two words and a counter of two 64-bit halves, each a tensor of rank 0."""

    def __init__(self, b: TfBuilder, key: Tensor, low: Tensor, high: Tensor) -> None:
        self.b, self.key, self.low, self.high = b, key, low, high

    def words(self, groups: Size, step: int = 1, offset: Value | None = None) -> list[Tensor]:
        """Four words of every counter `offset + step * group`."""
        b = self.b
        index = b.tensor(b.iota([groups], 0, UI64)) * step
        if offset is not None:
            index = index + b.tensor(b.broadcast_to(b.convert(offset, UI64), [groups], ()))
        low, high, key = (b.tensor(b.broadcast_to(v.value, [groups], ())) for v in (self.low, self.high, self.key))
        total = low + index
        carried = (high + 1).where(total < low, high)
        return philox([*split(total), *split(carried)], split(key))


def _element(b: TfBuilder, vector: Value, index: int) -> Tensor:
    return b.tensor(b.reshape(b.slice(vector, 0, index, index + 1), ()))


def _seeded(b: TfBuilder, seed: Value) -> _State:
    """The key and the counter of a seed: Philox of the seed itself, under a fixed key."""
    parts = [_element(b, seed, i) for i in (0, 1)]
    # Seeds are signed: their upper halves are filled with the sign.
    halves = [p.convert(I64).convert(UI64) for p in parts]
    key = [halves[0].convert(UI32).number(n) for n in SCRAMBLE]
    mixed = philox([*split(halves[0]), *split(halves[1])], (key[0], key[1]))
    zero = halves[0].number(0)
    return _State(b, _pair(mixed[0], mixed[1]), zero, _pair(mixed[2], mixed[3]))


def _pair(low: Tensor, high: Tensor) -> Tensor:
    return low.convert(UI64) | (high.convert(UI64) << 32)


def _state(b: TfBuilder, op: Op) -> _State:
    if isinstance(op, tf.SeedBasedOp):
        return _seeded(b, op.seed)
    assert isinstance(op, tf.CounterBasedOp)
    algorithm = b.known_integers(op.alg)
    if algorithm is None or algorithm[0] not in (1, 3):
        b.unsupported("alg", "only Philox is supported, which a constant must name")
    counter = op.counter
    high = _element(b, counter, 1) if b.size(counter, 0) > 1 else _element(b, counter, 0).number(0)
    return _State(b, _element(b, op.key, 0), _element(b, counter, 0), high)


@lowering(tf.StatelessRandomGetKeyCounterOp)
def key_and_counter(op: tf.StatelessRandomGetKeyCounterOp, b: TfBuilder) -> list[Value]:
    return _key_and_counter(b, op.seed)


def _key_and_counter(b: TfBuilder, seed: Value) -> list[Value]:
    state = _seeded(b, seed)
    low, high = (b.reshape(v.value, (1,)) for v in (state.low, state.high))
    return [b.reshape(state.key.value, (1,)), b.concatenate([low, high], 0)]


@lowering(tf.StatelessRandomGetAlgOp)
def algorithm(op: tf.StatelessRandomGetAlgOp, b: TfBuilder) -> Value:
    return b.index(1)


@lowering(tf.StatelessRandomGetKeyCounterAlgOp)
def key_counter_and_algorithm(op: tf.StatelessRandomGetKeyCounterAlgOp, b: TfBuilder) -> list[Value]:
    return [*_key_and_counter(b, op.seed), b.index(1)]


@lowering(tf.RngReadAndSkipOp)
def read_and_skip(op: tf.RngReadAndSkipOp, b: TfBuilder) -> Value:
    """counter += 256 delta, in 128 bits: for every number that may be drawn words are kept"""
    old = read(b, op.resource)
    if b.size(old, 0) != 3:
        b.unsupported("resource", f"a state of Philox has three elements, found {old.type}")
    low, high = (_element(b, old, i).convert(UI64) for i in (0, 1))
    total = low + b.tensor(b.convert(op.delta, UI64)) * RESERVED
    carried = (high + 1).where(total < low, high)
    parts = [b.reshape(v.convert(I64).value, (1,)) for v in (total, carried)]
    write(b, op.resource, b.concatenate([*parts, b.slice(old, 0, 2, 3)], 0))
    return old


# ---------------------------------------------------------------------------------------------- numbers


def _sizes(b: TfBuilder, op: Op) -> tuple[list[Size], Size]:
    """The shape of the result, and how many elements it has."""
    sizes = shaped(b, op.operands[0], tensor_type(op.results[0]))
    return sizes, b.product(sizes)


def _arranged(b: TfBuilder, columns: Sequence[Tensor], count: Size, sizes: Sequence[Size]) -> Value:
    """Numbers that stand one behind the other in rows, of which the last may be cut, in a shape."""
    rows = b.size_at(columns[0].value, 0)
    stacked = b.concatenate([b.with_axis(c.value, 1) for c in columns], 1)
    flat = b.reshape_to(stacked, [b.times(rows, len(columns))])
    return b.reshape_to(b.part_of_axis(flat, 0, 0, count), sizes)


def _floats(words: Sequence[Tensor], dtype: DType) -> list[Tensor]:
    """Words as floats in [0, 1): random mantissas under the exponent of 1, minus 1."""
    if dtype is F64:
        pairs = zip(words[::2], words[1::2], strict=True)
        bits = [_pair(low, high & 0xFFFFF) | (1023 << 52) for high, low in pairs]
        return [x.bitcast(x.type.with_dtype(F64)) - 1 for x in bits]
    if dtype is F16 or dtype is BF16:
        mask, exponent = (0x3FF, 15 << 10) if dtype is F16 else (0x7F, 127 << 7)
        halves = [((x & mask) | exponent).convert(UI16) for x in words]
        return [x.bitcast(x.type.with_dtype(dtype)) - 1 for x in halves]
    return [((x & 0x7FFFFF) | (127 << 23)).bitcast(x.type.with_dtype(F32)) - 1 for x in words]


def _groups(b: TfBuilder, count: Size, each: int) -> Size:
    return b.over_up(count, each)


@lowering(tf.StatelessRandomUniformV2Op, tf.StatelessRandomUniformOp)
def uniform(op: tf.StatelessRandomUniformV2Op | tf.StatelessRandomUniformOp, b: TfBuilder) -> Value:
    sizes, count = _sizes(b, op)
    dtype = op.result_type.dtype
    words = _state(b, op).words(_groups(b, count, 2 if dtype is F64 else 4))
    return _arranged(b, _floats(words, dtype), count, sizes)


def _normal_pairs(words: Sequence[Tensor], dtype: DType) -> list[Tensor]:
    """Pairs of numbers of the normal distribution: sin and cos of one number at a radius from another."""
    wide = F64 if dtype is F64 else F32
    flats = _floats(words, wide)
    found: list[Tensor] = []
    for u, v in zip(flats[::2], flats[1::2], strict=True):
        radius = (u.apply(e.MaximumOp, 1e-7).apply(e.LogOp) * -2).apply(e.SqrtOp)
        angle = v * (2 * math.pi)
        found += [angle.apply(e.SineOp) * radius, angle.apply(e.CosineOp) * radius]
    return found


@lowering(tf.StatelessRandomNormalV2Op, tf.StatelessRandomNormalOp)
def normal(op: tf.StatelessRandomNormalV2Op | tf.StatelessRandomNormalOp, b: TfBuilder) -> Value:
    sizes, count = _sizes(b, op)
    dtype = op.result_type.dtype
    words = _state(b, op).words(_groups(b, count, 2 if dtype is F64 else 4))
    return b.convert(_arranged(b, _normal_pairs(words, dtype), count, sizes), dtype)


@lowering(tf.StatelessTruncatedNormalV2Op, tf.StatelessTruncatedNormalOp)
def truncated_normal(op: tf.StatelessTruncatedNormalV2Op | tf.StatelessTruncatedNormalOp, b: TfBuilder) -> Value:
    """Every group draws numbers from words of its own until it has enough that are below 2"""
    sizes, count = _sizes(b, op)
    dtype = op.result_type.dtype
    wide = F64 if dtype is F64 else F32
    each = 2 if dtype is F64 else 4
    groups = _groups(b, count, each)
    state = _state(b, op)
    kept = b.zeros([groups, each], wide)
    have = b.zeros([groups], I32)
    inits = [b.index(0), have, kept]
    types = [v.type for v in inits]
    cond, body = Block(types), Block(types)
    test = TfBuilder(op, b.known)
    with test.at(cond):
        least = test.reduce(cond.args[1], e.MinimumOp, each, [0])
        test.insert(ReturnOp((test.compare(least, ComparisonDirection.LT, test.index(each)),)))
    with b.at(body):
        k, number, values = body.args
        words = state.words(groups, each * RESERVED // 4, k)
        filled, found = b.tensor(number), b.tensor(values)
        place = b.tensor(b.iota([groups, each], 1, I32))
        for drawn in _normal_pairs(words, dtype):
            fits = (drawn.apply(e.AbsOp) < 2) & (filled < each)
            here = place.equals(b.tensor(b.broadcast_to(filled.value, [groups, each], (0,))))
            taken = here & b.tensor(b.broadcast_to(fits.value, [groups, each], (0,)))
            found = b.tensor(b.broadcast_to(drawn.value, [groups, each], (0,))).where(taken, found)
            filled = filled + fits.convert(I32)
        results = [b.add(k, b.index(1)), filled.value, found.value]
        b.insert(ReturnOp([b.cast(v, tensor_type(t)) for v, t in zip(results, inits, strict=True)]))
    loop = b.insert(WhileOp(tuple(inits), Region([cond]), Region([body])))
    flat = b.reshape_to(loop.results[2], [b.times(groups, each)])
    return b.convert(b.reshape_to(b.part_of_axis(flat, 0, 0, count), sizes), dtype)


def _integers(b: TfBuilder, op: Op, count: Size, bits: int) -> list[Tensor]:
    words = _state(b, op).words(_groups(b, count, 2 if bits == 64 else 4))
    if bits == 64:
        return [_pair(low, high) for low, high in zip(words[::2], words[1::2], strict=True)]
    return words


@lowering(tf.StatelessRandomUniformFullIntV2Op, tf.StatelessRandomUniformFullIntOp)
def full_int(op: tf.StatelessRandomUniformFullIntV2Op | tf.StatelessRandomUniformFullIntOp, b: TfBuilder) -> Value:
    sizes, count = _sizes(b, op)
    dtype = op.result_type.dtype
    found = _arranged(b, _integers(b, op, count, dtype.bits), count, sizes)
    return b.insert(e.BitcastConvertOp(found, tensor_type(found).with_dtype(dtype))).result


@lowering(tf.StatelessRandomUniformIntV2Op, tf.StatelessRandomUniformIntOp)
def uniform_int(op: tf.StatelessRandomUniformIntV2Op | tf.StatelessRandomUniformIntOp, b: TfBuilder) -> Value:
    """minval + bits mod (maxval - minval)"""
    sizes, count = _sizes(b, op)
    dtype = op.result_type.dtype
    unsigned = UI64 if dtype.bits == 64 else UI32
    found = b.tensor(_arranged(b, _integers(b, op, count, dtype.bits), count, sizes))
    scalar = TensorType((), unsigned)
    low = b.tensor(op.minval).bitcast(scalar)
    span = b.tensor(op.maxval).bitcast(scalar) - low
    spread = [b.tensor(b.broadcast_to(v.value, sizes, ())) for v in (low, span)]
    result = found % spread[1] + spread[0]
    return result.bitcast(result.type.with_dtype(dtype)).value
