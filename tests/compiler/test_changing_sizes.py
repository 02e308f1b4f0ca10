"""Loops and branches that change sizes: compiled, by the reference, and as NumPy has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from changing_sizes import CASES, Case
from oracle_harness import assert_close, lowered
from text_oracle import run_reference

from tesselle.compiler import compile
from tesselle.reference import interpret
from tesselle.runtime import load


def results(values: Any) -> list[Any]:
    return list(values) if isinstance(values, tuple) else [values]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_sizes_that_change(case: Case) -> None:
    function = load(compile(case.text))["main"]
    linalg = lowered(case.text)
    for arguments in case.calls:
        wanted = [np.asarray(v) for v in case.expected(*arguments)]
        assert_close(run_reference(case.text, *arguments), wanted, "the reference", 1e-5)
        found = interpret(linalg, "main", [np.asarray(a) for a in arguments])
        assert_close(found, wanted, "linalg", 1e-5)
        for _ in range(2):  # what the first call has recorded serves the second
            assert_close(results(function(*arguments)), wanted, "compiled", 1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_two_hundred_sizes(case: Case) -> None:
    function = load(compile(case.text))["main"]
    for arguments in case.random_calls():
        wanted = [np.asarray(v) for v in case.expected(*arguments)]
        assert_close(results(function(*arguments)), wanted, str([np.shape(a) or a for a in arguments]), 1e-5)
