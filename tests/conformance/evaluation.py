"""One case, from JAX's function to an outcome."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

import tesselle
from tesselle.support.diagnostics import TesselleError, Unsupported

from .cases import Case, harnesses, needs_64_bits, random_state
from .comparison import difference
from .equivalence import align


class Form(Enum):
    """How a case becomes a program."""

    ARGUMENTS = "arguments"
    """The function as it is: what the harness draws are its arguments."""
    CONSTANTS = "constants"
    """A function without arguments: what the harness draws stands in the program, as in files of tests."""
    BATCHED = "batched"
    """vmap of the function, exported by JAX for a leading dimension of any size: dynamic shapes."""
    GRADIENT = "gradient"
    """The function and its vector-Jacobian product with respect to all arguments of float types."""


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
    drawn: list[np.ndarray[Any, Any]]
    """What the harness drew: the arguments, or what stands in the program in their place."""
    arguments: list[np.ndarray[Any, Any]]
    expected: list[np.ndarray[Any, Any]]


class NothingToCompare(Exception):
    """JAX cannot run the case on the CPU."""


def evaluate(case: Case, form: Form = Form.ARGUMENTS) -> Result:
    """Compile and run `case`, and compare. Whatever goes wrong short of the end of the process becomes an outcome."""
    seconds = Seconds()
    try:
        # The cases are JAX's: that one of them overflows or uses an old name is not a finding here.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            program = build(case, form, seconds)
            found = run(program, seconds)
        found = align(harnesses()[case.name], program.drawn, found, program.expected)
        line = difference(found, program.expected, case.group, is_gradient=form is Form.GRADIENT)
    except NothingToCompare as error:
        return Result(case, Outcome.SKIPPED, str(error), seconds)
    except Unsupported as error:
        return Result(case, Outcome.UNSUPPORTED, _one_line(error), seconds)
    except Exception as error:
        return Result(case, Outcome.ERROR, _one_line(error), seconds)
    return Result(case, Outcome.AGREE if line is None else Outcome.DIFFER, line or "", seconds)


def build(case: Case, form: Form, seconds: Seconds) -> Program:
    """Lower the case with JAX, and run it with XLA. Errors: NothingToCompare."""
    import jax

    harness = harnesses()[case.name]
    if any(limit.skip_run and limit.filter("cpu", harness.dtype) for limit in harness.jax_unimplemented):
        raise NothingToCompare("JAX's harness says that it must not be run")
    with jax.enable_x64(True) if needs_64_bits(case) else nullcontext():
        try:
            return _LOWER[form](harness, random_state(case), seconds)
        except Exception as error:
            raise NothingToCompare(_one_line(error)) from error


def _with_arguments(harness: Any, rng: np.random.RandomState, seconds: Seconds) -> Program:
    return _as_it_is(harness.dyn_fun, harness.dyn_args_maker(rng), seconds)


def _as_it_is(function: Callable[..., Any], arguments: Sequence[Any], seconds: Seconds) -> Program:
    import jax

    with _timed(seconds, "lower"):
        # Arguments that nothing uses stay, so that the program takes what the function takes.
        lowered = jax.jit(function, keep_unused=True).lower(*arguments)
        text = lowered.as_text()
    leaves, avals = jax.tree.leaves(arguments), jax.tree.leaves(lowered.in_avals)
    converted = [_array(leaf, aval) for leaf, aval in zip(leaves, avals, strict=True)]
    return Program(text, converted, converted, _run_xla(lowered, arguments, seconds))


def _with_gradient(harness: Any, rng: np.random.RandomState, seconds: Seconds) -> Program:
    import jax
    from jax import numpy as jnp

    arguments = [jnp.asarray(x) if hasattr(x, "dtype") else x for x in harness.dyn_args_maker(rng)]

    def product(*arguments: Any) -> Any:
        results, pull_back = jax.vjp(harness.dyn_fun, *arguments)
        # float0, the cotangent of what has no derivative, is no type of a program.
        cotangents = jax.tree.map(
            lambda r: jnp.full_like(r, 0.5) if jnp.issubdtype(r.dtype, jnp.inexact) else np.zeros(r.shape, jax.float0),
            results,
        )
        gradients = jax.tree.leaves(pull_back(cotangents))
        return results, [g for g in gradients if g.dtype != jax.float0]

    if not any(jnp.issubdtype(x.dtype, jnp.inexact) for x in jax.tree.leaves(arguments)):
        raise NothingToCompare("there is no argument of a float type")
    return _as_it_is(product, arguments, seconds)


def _with_constants(harness: Any, rng: np.random.RandomState, seconds: Seconds) -> Program:
    import jax

    arguments = harness.dyn_args_maker(rng)
    with _timed(seconds, "lower"):
        lowered = jax.jit(lambda: harness.dyn_fun(*arguments)).lower()
        text = lowered.as_text()
    drawn = [_array(x) for x in jax.tree.leaves(arguments)]
    return Program(text, drawn, [], _run_xla(lowered, (), seconds))


BATCH = 3
"""The size that the leading dimension of `Form.BATCHED` has when it runs."""


def _batched(harness: Any, rng: np.random.RandomState, seconds: Seconds) -> Program:
    import jax

    drawn = [harness.dyn_args_maker(rng) for _ in range(BATCH)]
    arguments = jax.tree.map(lambda *xs: np.stack([_array(x) for x in xs]), *drawn)
    if not jax.tree.leaves(arguments):
        raise NothingToCompare("there is no argument that could have a batch")
    function = jax.jit(jax.vmap(harness.dyn_fun))
    (batch,) = jax.export.symbolic_shape("b")
    with _timed(seconds, "lower"):
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype), arguments)
        exported = jax.export.export(function, platforms=["cpu"])(*shapes)
        text = exported.mlir_module()
    lowered = function.lower(*arguments)
    kept = [x for i, x in enumerate(jax.tree.leaves(arguments)) if i in exported.module_kept_var_idx]
    avals = [exported.in_avals[i] for i in exported.module_kept_var_idx]
    converted = [_array(x, aval) for x, aval in zip(kept, avals, strict=True)]
    return Program(text, converted, converted, _run_xla(lowered, arguments, seconds))


_LOWER = {
    Form.ARGUMENTS: _with_arguments,
    Form.CONSTANTS: _with_constants,
    Form.BATCHED: _batched,
    Form.GRADIENT: _with_gradient,
}


XLA_OPTIONS = {"xla_allow_excess_precision": False}
"""XLA may keep chains of f16 and bf16 in f32; the specification rounds after every operation."""


def _run_xla(lowered: Any, arguments: Sequence[Any], seconds: Seconds) -> list[np.ndarray[Any, Any]]:
    import jax

    with _timed(seconds, "xla"):
        return [_array(r) for r in jax.tree.leaves(lowered.compile(XLA_OPTIONS)(*arguments))]


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
