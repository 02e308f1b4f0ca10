"""Random bits, and random numbers."""

from __future__ import annotations

import math

import numpy as np

from tesselle.dialects.stablehlo import linear_algebra as s
from tesselle.dialects.stablehlo.attributes import RngAlgorithm, RngDistribution
from tesselle.reference import numerics as n
from tesselle.reference.random_numbers import element_bits, philox_bits, threefry_bits
from tesselle.reference.registry import Array, RegionRunner, element_dtype, region_semantics, semantics
from tesselle.reference.special_functions import erf_inv
from tesselle.support.dtypes import DTYPES, DType


@semantics(s.RngBitGeneratorOp)
def rng_bit_generator(op: s.RngBitGeneratorOp, state: Array) -> list[Array]:
    """XLA's bits for CPUs, where DEFAULT is Philox. Floats take the patterns of the bits."""
    return random_bits(op.rng_algorithm, state, op.output_type.dtype, op.output_type.static_shape)


def random_bits(algorithm: RngAlgorithm, state: Array, dtype: DType, shape: tuple[int, ...]) -> list[Array]:
    """The next state, and elements of `dtype`."""
    words = [int(w) for w in np.ascontiguousarray(state).view(np.uint64)]
    generate = threefry_bits if algorithm is RngAlgorithm.THREE_FRY else philox_bits
    # No integer has the six bits of some floats: they get the low bits of bytes.
    width = 8 if dtype.bits == 6 else dtype.bits
    bits, after = generate(words, shape, width)
    unsigned = DTYPES[f"ui{width}"]
    cut = bits if dtype.bits >= 32 else n.wrap_bits(bits, unsigned)
    return [np.array(after, np.uint64).view(state.dtype), n.view_as(cut, dtype.numpy)]


_SIGNIFICANT_BITS = {"f64": 53, "f32": 24, "f16": 11, "bf16": 8, "f8E5M2": 3, "f8E4M3FN": 4}


@region_semantics(s.RngOp)
def rng(op: s.RngOp, runner: RegionRunner, a: Array, b: Array, shape: Array) -> Array:
    """Numbers from `element_bits` of the runner's next draw; see `expand-rng` for the formulas."""
    sizes = tuple(int(d) for d in shape)
    bits = element_bits(runner.draws, math.prod(sizes)).reshape(sizes)
    runner.draws += 1
    dtype = element_dtype(op.result.type)
    if op.rng_distribution is RngDistribution.NORMAL:
        place = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-52 - 1.0
        standard = np.vectorize(erf_inv, otypes=[np.float64])(place) * math.sqrt(2)
        return n.convert(float(a) + standard * float(b), dtype)
    if dtype.is_float:
        compute = np.float64 if dtype.bits == 64 else np.float32
        precision = _SIGNIFICANT_BITS.get(dtype.name, dtype.bits)
        unit = (bits >> np.uint64(64 - precision)).astype(compute) * compute(2.0**-precision)
        low, high = a.astype(compute), b.astype(compute)
        numbers = n.convert(np.asarray(low + unit * (high - low), compute), dtype)
        return np.where(n.widen(numbers) >= n.widen(b), a, numbers).astype(dtype.numpy)
    size = int(b) - int(a)
    values = [int(a) + ((int(w) * (size % (1 << 64))) >> 64) for w in bits.reshape(-1)]
    return (
        np.array(values, object).reshape(sizes).astype(np.int64 if dtype.is_signed else np.uint64).astype(dtype.numpy)
    )
