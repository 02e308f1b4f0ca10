"""Reading `!quant.uniform<…>`.

    uniform  ::= `<` storage [`<` min `:` max `>`] `:` expressed [`:` where] `,` params `>`
    where    ::= axis | `{` axis `:` size, … `}`            per axis; per block
    params   ::= scale [`:` zero] | `{` params, … `}`       nested as deep as there are dimensions of blocks

Source: the grammar of MLIR's quant dialect.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tesselle.ir.quantized import QuantizedType, quantized
from tesselle.support.dtypes import DTYPES, DType

if TYPE_CHECKING:
    from tesselle.ir.text.types import TypeParser

_STORAGE = re.compile(r"(i|ui|u|si)(\d{1,3})")
_MAX_NESTING = 8


def read_uniform(p: TypeParser) -> QuantizedType:
    """What stands behind `!quant.uniform`."""
    start = p.pos
    p.expect("<")
    storage = _storage(p)
    low: int | None = None
    high: int | None = None
    if p.accept("<"):
        low = p.integer()
        p.expect(":")
        high = p.integer()
        p.expect(">")
    p.expect(":")
    at = p.pos
    expressed = p.type()
    if not isinstance(expressed, DType):
        p.fail(f"the expressed type must be a float, found {expressed}", at)
    axis: int | None = None
    blocks: list[tuple[int, int]] = []
    is_sub_channel = False
    if p.accept(":"):
        is_sub_channel = p.accept("{")
        if is_sub_channel:
            while not p.accept("}"):
                if blocks:
                    p.expect(",")
                dimension = p.integer()
                p.expect(":")
                blocks.append((dimension, p.integer()))
        else:
            axis = p.integer()
    p.expect(",")
    scales: list[float] = []
    zeros: list[int] = []
    if axis is None and not is_sub_channel:
        _pair(p, scales, zeros)
        shape: tuple[int, ...] = ()
    else:
        shape = _pairs(p, scales, zeros, 1)
    p.expect(">")
    if axis is not None and len(shape) != 1:
        p.fail("a type with one quantized dimension has a flat list of scales", start)
    try:
        return quantized(
            storage,
            expressed,
            scales,
            zeros,
            axis=axis,
            storage_min=low,
            storage_max=high,
            block_sizes=blocks,
            scale_shape=shape,
        )
    except ValueError as error:
        p.fail(str(error), start)


def _storage(p: TypeParser) -> DType:
    token = p.word("a storage type")
    m = _STORAGE.fullmatch(token)
    found = DTYPES.get(f"{'u' if m[1].startswith('u') else ''}i{m[2]}") if m is not None else None
    if found is None:
        p.unsupported_type(f"there is no storage type {token[:20]}", p.pos - 1)
    return found


def _pair(p: TypeParser, scales: list[float], zeros: list[int]) -> None:
    token = p.token
    try:
        scales.append(float(token))
    except ValueError:
        p.unexpected("a scale")
    p.pos += 1
    zeros.append(p.integer() if p.accept(":") else 0)


def _pairs(p: TypeParser, scales: list[float], zeros: list[int], depth: int) -> tuple[int, ...]:
    """A list of pairs, or of lists of equal shape; returns its shape."""
    if depth > _MAX_NESTING:
        p.fail("the scales are nested too deeply")
    p.expect("{")
    inner: tuple[int, ...] | None = None
    count = 0
    while count == 0 or p.accept(","):
        at = p.pos
        found: tuple[int, ...] = ()
        if p.token == "{":
            found = _pairs(p, scales, zeros, depth + 1)
        else:
            _pair(p, scales, zeros)
        if inner is not None and inner != found:
            p.fail("lists of scales must have one shape", at)
        inner = found
        count += 1
    p.expect("}")
    return (count, *(inner or ()))
