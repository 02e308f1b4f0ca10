"""Small damages to texts and bytecodes, made from a seed.

A mutation is what a broken tool, a cut-off download or a hostile sender would do: bits flipped, pieces removed,
repeated or taken from elsewhere, words exchanged, numbers made huge.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_WORD = re.compile(r"[%@^#!]?[\w.$-]+|[^\s\w]")

NUMBERS = (
    "0",
    "-1",
    "1",
    "127",
    "255",
    "65536",
    "2147483648",
    "9223372036854775807",
    "18446744073709551616",
    "9" * 40,
    "1e400",
)
PIECES = (
    "(",
    ")",
    "<",
    ">",
    "[",
    "]",
    "{",
    "}",
    "->",
    "loc(",
    "dense<",
    "tensor<",
    "!quant.uniform<",
    "#",
    "!",
    "%0",
    "^bb0",
    '"',
    "\0",
    "é",
    "//",
)


def mutate_text(text: str, others: Sequence[str], rng: random.Random) -> str:
    """`text` with one to six damages; pieces of `others` are put into it."""
    for _ in range(rng.randint(1, 6)):
        text = rng.choice(_TEXT_MUTATIONS)(text, others, rng)
    return text


def _swap_words(text: str, _: Sequence[str], rng: random.Random) -> str:
    words = list(_WORD.finditer(text))
    if len(words) < 2:
        return text
    a, b = sorted(rng.sample(words, 2), key=lambda m: m.start())
    return text[: a.start()] + b[0] + text[a.end() : b.start()] + a[0] + text[b.end() :]


def _blow_up_number(text: str, _: Sequence[str], rng: random.Random) -> str:
    numbers = list(re.finditer(r"\d+", text))
    if not numbers:
        return text
    m = rng.choice(numbers)
    return text[: m.start()] + rng.choice(NUMBERS) + text[m.end() :]


def _remove(text: str, _: Sequence[str], rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.randint(1, rng.choice((2, 20, 400))) :]


def _truncate(text: str, _: Sequence[str], rng: random.Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _insert(text: str, _: Sequence[str], rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(PIECES) + text[at:]


def _splice(text: str, others: Sequence[str], rng: random.Random) -> str:
    other = rng.choice(others)
    begin = rng.randrange(len(other) + 1)
    at = rng.randrange(len(text) + 1)
    return text[:at] + other[begin : begin + rng.randint(1, 200)] + text[at + rng.choice((0, 50)) :]


def _repeat_lines(text: str, _: Sequence[str], rng: random.Random) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    return "\n".join([*lines[:at], *lines[at : at + rng.randint(1, 5)] * rng.randint(2, 4), *lines[at:]])


def _nest(text: str, _: Sequence[str], rng: random.Random) -> str:
    """Brackets opened many times over."""
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice("([{<") * rng.choice((10, 300, 5000)) + text[at:]


_TEXT_MUTATIONS: tuple[Callable[[str, Sequence[str], random.Random], str], ...] = (
    _swap_words,
    _swap_words,
    _blow_up_number,
    _blow_up_number,
    _remove,
    _truncate,
    _insert,
    _splice,
    _repeat_lines,
    _nest,
)


def mutate_bytes(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """`data` with one to six damages; the magic number stays, so that the damage is found further in."""
    body = bytearray(data[4:])
    for _ in range(rng.randint(1, 6)):
        rng.choice(_BYTE_MUTATIONS)(body, others, rng)
    return data[:4] + bytes(body)


def _flip_bit(body: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    if body:
        body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)


def _set_byte(body: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    if body:
        body[rng.randrange(len(body))] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF))


def _huge_varint(body: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    """A number of nine bytes where a small one stood."""
    at = rng.randrange(len(body) + 1)
    body[at : at + rng.choice((1, 9))] = b"\0" + rng.choice((b"\xff" * 8, b"\xff" * 4 + b"\0" * 4, rng.randbytes(8)))


def _remove_bytes(body: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(body) + 1)
    del body[at : at + rng.randint(1, rng.choice((2, 20, 400)))]


def _truncate_bytes(body: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    del body[rng.randrange(len(body) + 1) :]


def _splice_bytes(body: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    begin = rng.randrange(len(other))
    at = rng.randrange(len(body) + 1)
    body[at : at + rng.choice((0, 20))] = other[begin : begin + rng.randint(1, 100)]


def _repeat_bytes(body: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(body) + 1)
    body[at:at] = body[at : at + rng.randint(1, 40)] * rng.randint(1, 4)


def _swap_bytes(body: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    if body:
        a, b = rng.randrange(len(body)), rng.randrange(len(body))
        body[a], body[b] = body[b], body[a]


_BYTE_MUTATIONS: tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...] = (
    _flip_bit,
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_byte,
    _huge_varint,
    _remove_bytes,
    _truncate_bytes,
    _splice_bytes,
    _repeat_bytes,
    _swap_bytes,
)
