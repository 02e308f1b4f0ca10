"""CRC-32C (Castagnoli), as TensorFlow stores it: of large arrays in NumPy.

Data is a polynomial over GF(2), its CRC the remainder modulo P. It is cut into rows of words, which are added up from
the first to the last: sum <- sum * x^(bits of a row) + row. All words of a row are taken at once, each modulo P; a
product is looked up in four tables of 2^16 entries, as it is linear in the bits. What is left is one row with the same
remainder. Source: RFC 3720, appendix B.4 (the polynomial); tensorflow/core/lib/hash/crc32c.h (the mask).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

_POLYNOMIAL = 0x82F63B78
"""P without its first term, in the order of the register: bit 31 - i is the coefficient of x^i."""
_ROW_WORDS = (4096, 64)
"""Long rows first, for speed; what they leave is folded again."""
_MASK_DELTA = 0xA282EAD8

Array = np.ndarray[Any, Any]


def masked_crc32c(data: bytes | bytearray | memoryview) -> int:
    """The masked CRC-32C of `data`."""
    return mask(crc32c(data))


def mask(crc: int) -> int:
    """What is stored for a CRC, so that the CRC of data that holds CRCs is sound."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFF_FFFF


def crc32c(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """The CRC-32C of `data`, or of what has the CRC `crc` followed by `data`."""
    register = crc ^ 0xFFFF_FFFF
    view = memoryview(data).cast("B")
    for row_words in _ROW_WORDS:
        if len(view) >= 16 * row_words:
            view, register = _fold(view, row_words, register), 0
    table = _byte_table()
    for byte in view:
        register = register >> 8 ^ table[(register ^ byte) & 0xFF]
    return register ^ 0xFFFF_FFFF


def crc32c_of_zeros(size: int) -> int:
    """The CRC-32C of `size` zero bytes, without looking at them."""
    return _times(0xFFFF_FFFF, _power(8 * size)) ^ 0xFFFF_FFFF


def _fold(data: memoryview, row_words: int, register: int) -> memoryview:
    """Data that, with the register zero, leads to the same register as `data` does with `register`."""
    whole = len(data) // (8 * row_words) * (8 * row_words)
    rows = np.frombuffer(data[:whole], "<u8").reshape(-1, row_words)
    first, second, third, fourth = _tables(row_words)
    total = rows[0].copy()
    total[0] ^= np.uint64(register)
    for row in rows[1:]:
        quarters = total.view(np.uint16).reshape(-1, 4).T
        total = first[quarters[0]] ^ second[quarters[1]] ^ third[quarters[2]] ^ fourth[quarters[3]] ^ row
    return memoryview(total.tobytes() + bytes(data[whole:]))


def _times(a: int, b: int) -> int:
    """a * b mod P, all in the order of the register."""
    product = 0
    for i in range(32):
        if b >> (31 - i) & 1:
            product ^= a
        a = a >> 1 ^ (_POLYNOMIAL if a & 1 else 0)
    return product


def _power(exponent: int) -> int:
    """x^exponent mod P."""
    result, square = 1 << 31, 1 << 30
    while exponent:
        if exponent & 1:
            result = _times(result, square)
        square = _times(square, square)
        exponent >>= 1
    return result


@cache
def _byte_table() -> tuple[int, ...]:
    """What each byte adds to the register."""
    table: list[int] = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


@cache
def _tables(row_words: int) -> tuple[Array, Array, Array, Array]:
    """A word times x^(bits of a row), modulo P: what each 16 bits of it add."""

    def table(quarter: int) -> Array:
        sums = np.zeros(1, np.uint64)
        for bit in range(16):
            # Bit j of a word is the coefficient of x^(63 - j), so a remainder stands in its upper half.
            image = _power(64 * row_words + 63 - (16 * quarter + bit)) << 32
            sums = np.concatenate([sums, sums ^ np.uint64(image)])
        return sums

    return table(0), table(1), table(2), table(3)
