"""Mutated texts give diagnostics and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tesselle.ir.text import parse_module, print_op
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import ParseError, Unsupported, VerifyError

DATA = Path(__file__).parent / "data"
SOURCES = [p.read_text() for p in sorted(DATA.glob("*.mlir"))]
PIECES = [
    *"{}()[]<>,:=%@#!^\"'x?-*0\\/",
    "->",
    "loc(",
    "dense<",
    "tensor<",
    "stablehlo.",
    "%0",
    "^bb0",
    "0x",
    "9" * 30,
    "array<i64",
    "affine_map<",
    "\n",
    "{-#",
    "#-}",
    "!",
    "é",
    "\0",
]


def check(text: str) -> None:
    """Reading, verifying and printing may only fail with a diagnostic."""
    try:
        module = parse_module(text, "fuzz.mlir", allow_unregistered=True)
        verify(module)
    except (ParseError, Unsupported, VerifyError) as error:
        _ = str(error)
        return
    printed = print_op(module)
    assert print_op(parse_module(printed, allow_unregistered=True)) == printed


def mutate(text: str, rng: random.Random) -> str:
    """A piece of the text with one to four small changes."""
    lines = text.split("\n")
    start = rng.randrange(max(1, len(lines) - 12))
    text = "\n".join([*lines[:2], *lines[max(2, start) : start + 12], "return }}"]) if rng.random() < 0.7 else text
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:at] + rng.choice(PIECES) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + rng.randint(1, 6) :]
        elif kind == 2:
            other = rng.randrange(len(text) + 1)
            text = text[:at] + text[other : other + rng.randint(1, 30)] + text[at:]
        else:
            text = text[:at] + rng.choice(PIECES) + text[at + 1 :]
    return text


@pytest.mark.parametrize("seed", range(8))
def test_mutated_programs(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        check(mutate(rng.choice(SOURCES), rng))


@given(
    st.lists(st.sampled_from([*PIECES, " ", "func.func", "@f", "return", "module", "%a", "i32", "1.5"]), max_size=25)
)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_tokens(pieces: list[str]) -> None:
    check(" ".join(pieces))


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_random_characters(text: str) -> None:
    check(text)
