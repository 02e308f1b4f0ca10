"""One case, from JAX's function to an outcome."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

import tesselle
from tesselle.support.diagnostics import TesselleError, Unsupported

from .cases import Case, harnesses, needs_64_bits, random_state
from .comparison import difference
from .equivalence import align


class Outcome(Enum):
    AGREE = "agree"
    DIFFER = "differ"
    UNSUPPORTED = "unsupported"
    """`Unsupported` was raised: a valid program that needs something that Tesselle does not have."""
    ERROR = "error"
    """Any other exception, at compile time or at run time."""
    CRASH = "crash"
    TIMEOUT = "timeout"
    SKIPPED = "skipped-by-jax"
    """JAX itself cannot lower, compile or run the case on the CPU: there is nothing to compare with."""

    @property
    def is_failure(self) -> bool:
        return self not in (Outcome.AGREE, Outcome.SKIPPED)


@dataclass
class Seconds:
    """Where the time of a case went."""

    lower: float = 0.0
    xla: float = 0.0
    """XLA's compilation and run."""
    compile: float = 0.0
    run: float = 0.0
    """Loading the artifact and the first call."""

    def __add__(self, other: Seconds) -> Seconds:
        mine, theirs = dataclasses.astuple(self), dataclasses.astuple(other)
        return Seconds(*(a + b for a, b in zip(mine, theirs, strict=True)))

    @property
    def total(self) -> float:
        return sum(dataclasses.astuple(self))


@dataclass
class Result:
    case: Case
    outcome: Outcome
    reason: str = ""
    """One line: empty where the results agree."""
    seconds: Seconds = field(default_factory=Seconds)


@dataclass
class Program:
    """A case as StableHLO, its arguments, and what XLA makes of them."""

    text: str
    arguments: list[np.ndarray[Any, Any]]
    expected: list[np.ndarray[Any, Any]]


class NothingToCompare(Exception):
    """JAX cannot run the case on the CPU."""


def evaluate(case: Case) -> Result:
    """Compile and run `case`, and compare. Whatever goes wrong short of the end of the process becomes an outcome."""
    seconds = Seconds()
    try:
        # The cases are JAX's: that one of them overflows or uses an old name is not a finding here.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            program = build(case, seconds)
            found = run(program, seconds)
        found = align(harnesses()[case.name], found, program.expected)
        line = difference(found, program.expected, case.group)
    except NothingToCompare as error:
        return Result(case, Outcome.SKIPPED, str(error), seconds)
    except Unsupported as error:
        return Result(case, Outcome.UNSUPPORTED, _one_line(error), seconds)
    except Exception as error:
        return Result(case, Outcome.ERROR, _one_line(error), seconds)
    return Result(case, Outcome.AGREE if line is None else Outcome.DIFFER, line or "", seconds)


def build(case: Case, seconds: Seconds) -> Program:
    """Lower the case with JAX, and run it with XLA. Errors: NothingToCompare."""
    import jax

    harness = harnesses()[case.name]
    if any(limit.skip_run and limit.filter("cpu", harness.dtype) for limit in harness.jax_unimplemented):
        raise NothingToCompare("JAX's harness says that it must not be run")
    with jax.enable_x64(True) if needs_64_bits(case) else _as_it_is():
        try:
            arguments = harness.dyn_args_maker(random_state(case))
            with _timed(seconds, "lower"):
                # Arguments that nothing uses stay, so that the program takes what the function takes.
                lowered = jax.jit(harness.dyn_fun, keep_unused=True).lower(*arguments)
                text = lowered.as_text()
            with _timed(seconds, "xla"):
                results = jax.tree.leaves(lowered.compile()(*arguments))
                expected = [_array(r) for r in results]
        except Exception as error:
            raise NothingToCompare(_one_line(error)) from error
        leaves, avals = jax.tree.leaves(arguments), jax.tree.leaves(lowered.in_avals)
        converted = [_array(leaf, aval) for leaf, aval in zip(leaves, avals, strict=True)]
    return Program(text, converted, expected)


def run(program: Program, seconds: Seconds) -> list[np.ndarray[Any, Any]]:
    """Compile and run `program` the way that a user does. Errors: TesselleError."""
    with _timed(seconds, "compile"):
        artifact = tesselle.compile(program.text)
    with _timed(seconds, "run"):
        results = tesselle.load(artifact)["main"](*program.arguments)
        results = results if isinstance(results, tuple) else (results,)
        return [np.asarray(r) for r in results]


def _array(value: Any, aval: Any = None) -> np.ndarray[Any, Any]:
    """A leaf of JAX as an array, of the type that the lowered program has for it."""
    import jax

    if jax.dtypes.issubdtype(getattr(value, "dtype", None), jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(value))
    return np.asarray(value) if aval is None else np.asarray(value, dtype=aval.dtype)


def _one_line(error: Exception) -> str:
    text = str(error).strip().splitlines() or [""]
    kind = "" if isinstance(error, TesselleError) else f"{type(error).__name__}: "
    return f"{kind}{text[0]}"[:400]


@contextmanager
def _timed(seconds: Seconds, field_name: str) -> Generator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        setattr(seconds, field_name, getattr(seconds, field_name) + time.perf_counter() - started)


@contextmanager
def _as_it_is() -> Generator[None]:
    yield
