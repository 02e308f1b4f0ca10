"""Quantized element types: integers of a storage type that stand for floats of an expressed type.

    real = (stored - zero_point) * scale

The scale is one number for a tensor, one for each index of an axis, or one for each block of a grid of blocks
(sub-channel). Source: StableHLO spec, "Quantized types"; MLIR's `quant` dialect for the text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tesselle.support.dtypes import DType, Kind


class QuantizedType(DType):
    """`!quant.uniform<storage<min:max>:expressed:axis, {scale:zero_point, …}>`.

    Types with equal parts are one object, as other element types are. Make them with `quantized`.
    `axis` is the quantized dimension of per-axis types, else None. `block_sizes` holds (dimension, size of a block) of
    sub-channel types, else it is empty. `scales` and `zero_points` are flat, in row-major order of `scale_shape`, which
    is `()` for a per-tensor type, `(n,)` for a per-axis one, and the grid of blocks for a sub-channel one.
    """

    __slots__ = (
        "axis",
        "block_sizes",
        "expressed",
        "scale_shape",
        "scales",
        "storage",
        "storage_max",
        "storage_min",
        "zero_points",
    )

    storage: DType
    expressed: DType
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None
    storage_min: int
    storage_max: int
    block_sizes: tuple[tuple[int, int], ...]
    scale_shape: tuple[int, ...]

    @property
    def is_per_axis(self) -> bool:
        return self.axis is not None

    @property
    def is_per_tensor(self) -> bool:
        return self.axis is None and not self.scale_shape

    @property
    def is_sub_channel(self) -> bool:
        return bool(self.scale_shape) and self.axis is None

    @property
    def is_storage_signed(self) -> bool:
        return self.storage.is_signed

    @property
    def scale(self) -> float:
        """The one scale of a per-tensor type."""
        (value,) = self.scales
        return value

    @property
    def zero_point(self) -> int:
        """The one zero point of a per-tensor type."""
        (value,) = self.zero_points
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return (_interned, (_key(self),))


@dataclass(frozen=True, slots=True)
class _Key:
    storage: DType
    expressed: DType
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None
    storage_min: int
    storage_max: int
    block_sizes: tuple[tuple[int, int], ...]
    scale_shape: tuple[int, ...]


_known: dict[_Key, QuantizedType] = {}


def _key(t: QuantizedType) -> _Key:
    return _Key(
        t.storage,
        t.expressed,
        t.scales,
        t.zero_points,
        t.axis,
        t.storage_min,
        t.storage_max,
        t.block_sizes,
        t.scale_shape,
    )


def storage_range(storage: DType) -> tuple[int, int]:
    """The least and the greatest integer of a storage type."""
    if storage.is_unsigned:
        return 0, (1 << storage.bits) - 1
    return -(1 << (storage.bits - 1)), (1 << (storage.bits - 1)) - 1


def quantized(
    storage: DType,
    expressed: DType,
    scales: Sequence[float],
    zero_points: Sequence[int] = (),
    *,
    axis: int | None = None,
    storage_min: int | None = None,
    storage_max: int | None = None,
    block_sizes: Sequence[tuple[int, int]] = (),
    scale_shape: Sequence[int] | None = None,
) -> QuantizedType:
    """The type of these parts; without `zero_points` they are 0, without bounds those of the storage type hold.

    Errors: ValueError naming the rule of the specification's "Quantized types" (C1-C13) that the parts break.
    """
    low, high = storage_range(storage) if storage.is_integer else (0, 0)
    _require(
        storage.is_integer and storage.bits <= 32, f"the storage type must be an integer of at most 32 bits: {storage}"
    )
    _require(expressed.is_float, f"the expressed type must be a float: {expressed}")
    low = low if storage_min is None else storage_min
    high = high if storage_max is None else storage_max
    bounds = storage_range(storage)
    _require(bounds[0] <= low < high <= bounds[1], f"[{low}, {high}] is no range of {storage}")
    if scale_shape is None:
        scale_shape = () if axis is None else (len(scales),)
    count = math.prod(scale_shape)
    zeros = tuple(zero_points) or (0,) * count
    _require(count > 0 and len(scales) == count, f"expected {count} scales, found {len(scales)}")
    _require(len(zeros) == count, f"expected {count} zero points, found {len(zeros)}")
    _require(all(s > 0 and math.isfinite(s) for s in scales), "scales must be positive and finite")
    _require(all(low <= z <= high for z in zeros), f"zero points must lie in [{low}, {high}]")
    _require(axis is None or axis >= 0, "the quantized dimension must not be negative")
    _require(all(d >= 0 and s > 0 for d, s in block_sizes), "blocks need a dimension and a positive size")
    _require(len({d for d, _ in block_sizes}) == len(block_sizes), "dimensions of blocks must be unique")
    key = _Key(
        storage, expressed, tuple(map(float, scales)), zeros, axis, low, high, tuple(block_sizes), tuple(scale_shape)
    )
    return _interned(key)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _interned(key: _Key) -> QuantizedType:
    found = _known.get(key)
    if found is None:
        found = QuantizedType(_text(key), key.storage.bits, Kind.QUANTIZED, key.storage.numpy)
        for name in _Key.__slots__:
            setattr(found, name, getattr(key, name))
        _known[key] = found
    return found


def _text(key: _Key) -> str:
    storage = key.storage.name.removeprefix("u").removeprefix("i") if key.storage.is_unsigned else key.storage.name
    storage = f"u{storage}" if key.storage.is_unsigned else storage
    if (key.storage_min, key.storage_max) != storage_range(key.storage):
        storage += f"<{key.storage_min}:{key.storage_max}>"
    pairs = [f"{scale_text(s)}:{z}" if z else scale_text(s) for s, z in zip(key.scales, key.zero_points, strict=True)]
    if key.axis is not None:
        return f"!quant.uniform<{storage}:{key.expressed}:{key.axis}, {{{','.join(pairs)}}}>"
    if not key.scale_shape:
        return f"!quant.uniform<{storage}:{key.expressed}, {pairs[0]}>"
    blocks = ", ".join(f"{d}:{s}" for d, s in key.block_sizes)
    return f"!quant.uniform<{storage}:{key.expressed}:{{{blocks}}}, {_nested(pairs, key.scale_shape)}>"


def _nested(parts: Sequence[str], shape: Sequence[int]) -> str:
    if len(shape) == 1:
        return f"{{{', '.join(parts)}}}"
    step = len(parts) // shape[0]
    return "{" + ", ".join(_nested(parts[i : i + step], shape[1:]) for i in range(0, len(parts), step)) + "}"


def scale_text(value: float) -> str:
    """The shortest decimal text with exponent, of six digits at least, that gives `value` back."""
    short = f"{value:.6e}"
    return short if float(short) == value else f"{value:.16e}"
