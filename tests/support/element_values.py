"""Values of every element type: all codes of the narrow ones, the edges of the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from tesselle.support.dtypes import DTYPES, DType

Array = np.ndarray[Any, Any]

ELEMENT_TYPES = [d for d in DTYPES.values() if not d.is_index]


def from_codes(codes: Array, dtype: DType) -> Array:
    """Elements whose bits are the low bits of `codes` (integers)."""
    if dtype.is_bool:
        return (codes & 1).astype(bool)
    if dtype.bits >= 8:
        return codes.astype(f"u{dtype.size_bytes}").view(dtype.numpy)
    low = (codes & ((1 << dtype.bits) - 1)).astype(np.uint8)
    if dtype.is_float:
        return low.view(dtype.numpy)
    sign = (low >> (dtype.bits - 1)) << dtype.bits if dtype.is_signed else 0
    return (low.astype(np.int8) - np.asarray(sign).astype(np.int8)).astype(dtype.numpy)


def codes_of(x: Array, dtype: DType) -> Array:
    """The bits of elements of at most 64 bits, as unsigned integers."""
    if dtype.is_bool:
        return x.astype(np.uint8)
    if dtype.bits < 8 and dtype.is_integer:
        return x.astype(np.int8).view(np.uint8) & np.uint8((1 << dtype.bits) - 1)
    return np.ascontiguousarray(x).view(f"u{dtype.size_bytes}")


def all_values(dtype: DType) -> Array:
    """Every value of a type of at most 8 bits, twice or more often up to 16 elements."""
    return from_codes(np.arange(max(16, 1 << dtype.bits)), dtype)


def values(dtype: DType, seed: int = 0) -> Array:
    """256 values: all of a type of at most 8 bits; edges, small numbers and random bits of the others."""
    rng = np.random.default_rng(seed)
    if dtype.bits <= 8:
        return from_codes(np.arange(256), dtype)
    if dtype.is_complex:
        parts = values(dtype.element, seed)
        out = np.empty(parts.shape, dtype.numpy)
        out.real, out.imag = parts, rng.permutation(parts)
        return out
    codes = rng.integers(0, 1 << 63, 256, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    out = from_codes(codes, dtype)
    if dtype.is_integer:
        edges = [0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255]
        wide = np.array([e if k == 0 or not dtype.is_signed else -e for e in edges for k in (0, 1)], object)
        limits = np.iinfo(dtype.numpy)
        special = [int(v) for v in wide if limits.min <= v <= limits.max] + [limits.min, limits.max, limits.max - 1]
        out[: len(special)] = np.array(special, dtype.numpy)
        return out
    special_floats = [0.0, -0.0, 1, -1, 0.5, 1.5, 2.5, -2.5, 3, 7.5, 8, 15.5, 100, 127.5, -128.5, 255.5, 256, 1e4, -1e4]
    special_floats += [np.inf, -np.inf, np.nan, 2.0**31, 2.0**32, 2.0**63, -(2.0**63), 2.0**64, 1e-3, 1e-6, 1e-40]
    with np.errstate(over="ignore", invalid="ignore"):
        out[: len(special_floats)] = np.array(special_floats).astype(dtype.numpy)
        out[128:] = (rng.normal(size=128) * rng.choice([0.1, 1.0, 10.0, 1000.0], 128)).astype(dtype.numpy)
    return out


def tensor(shape: tuple[int, ...], dtype: DType) -> str:
    return "tensor<" + "".join(f"{d}x" for d in shape) + f"{dtype}>"


def assert_same_bits(found: Array, wanted: Array, what: str) -> None:
    """Equal in every bit, up to which nan it is."""
    assert found.dtype == wanted.dtype, f"{what}: {found.dtype} instead of {wanted.dtype}"
    if found.dtype.kind == "c":
        assert_same_bits(found.real, wanted.real, what)
        assert_same_bits(found.imag, wanted.imag, what)
        return
    dtype = next(d for d in ELEMENT_TYPES if d.numpy == wanted.dtype)
    same = codes_of(found, dtype) == codes_of(wanted, dtype)
    if dtype.is_float:
        wide = np.float64 if dtype.bits == 64 else np.float32
        same |= np.isnan(found.astype(wide)) & np.isnan(wanted.astype(wide))
    at = np.flatnonzero(~same)[:5]
    assert not len(at), f"{what}: {found[at]} instead of {wanted[at]} at {at}"
