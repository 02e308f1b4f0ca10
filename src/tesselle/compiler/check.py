"""Runs the expectations that programs state about themselves: what `tesselle check` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tesselle.compiler.session import compile
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import CallOp, FuncOp
from tesselle.dialects.interpreter.ops import RunParallelOp
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.ir.core import Op, OpResult, Value
from tesselle.ir.passes import Pipeline
from tesselle.ir.types import FunctionType, TensorType
from tesselle.passes.input import ExpandChecks, InlineCalls
from tesselle.reference import interpret
from tesselle.runtime import load
from tesselle.support.custom_calls import Array
from tesselle.support.diagnostics import TesselleError
from tesselle.support.dtypes import DType
from tesselle.support.expectations import Outcome, Recorder
from tesselle.support.options import CompileOptions
from tesselle.support.probes import Probes

REFERENCE = "reference"
"""Where a function ran, when it was the reference interpreter."""

_SHAPE_OPERANDS: Mapping[str, tuple[int, ...]] = {
    "stablehlo.dynamic_broadcast_in_dim": (1,),
    "stablehlo.dynamic_conv": (2,),
    "stablehlo.dynamic_gather": (2,),
    "stablehlo.dynamic_iota": (0,),
    "stablehlo.dynamic_pad": (2, 3, 4),
    "stablehlo.dynamic_reshape": (1,),
    "stablehlo.real_dynamic_slice": (1, 2, 3),
    "stablehlo.set_dimension_size": (1,),
}
"""Operands that decide about shapes: they stay constants of the program where they are ones."""


@dataclass(frozen=True)
class CheckOptions:
    """How programs are checked.

    `reference`: run the reference interpreter instead of compiled code. `fold`: let the compiler fold constants as it
    does for `tesselle compile`; otherwise the constants of a function become its arguments, so that it is the device's
    code which computes. `select`: which functions to run, by name.
    """

    device: str = "cpu"
    reference: bool = False
    fold: bool = False
    probes: Path | None = None
    select: Callable[[str], bool] = lambda _: True
    compile: CompileOptions = field(default_factory=CompileOptions)


@dataclass(frozen=True)
class FunctionCheck:
    """What came of one function. `error` is empty where it ran to its end."""

    function: str
    where: str
    outcomes: tuple[Outcome, ...]
    error: str
    seconds: float

    @property
    def ok(self) -> bool:
        return not self.error and not any(o.problem for o in self.outcomes)


def check_module(module: ModuleOp, options: CheckOptions) -> Iterator[FunctionCheck]:
    """Run every public function of `module` that takes no arguments, one after the other.

    Functions that run a grid of processes run in the reference interpreter. The others are compiled together where that
    works, else one by one, so that a function that is not supported says so and hides no other. Errors: those of
    inlining; what goes wrong in a function is part of its result.
    """
    parallel = _ParallelPrograms.of(module)
    names = [f.sym_name for f in _functions(module) if _is_run(f, parallel, options)]
    probes = Probes(options.probes)
    compiled: _Compiled | None = None
    whole: ModuleOp | None = None
    if parallel.callers or options.reference:
        whole = module.clone()
        Pipeline((ExpandChecks(),)).run(whole)
    on_device = [n for n in names if not options.reference and n not in parallel.callers]
    if on_device:
        _keep_public(module, on_device)
        Pipeline((InlineCalls(), ExpandChecks())).run(module)
        compiled = _Compiled.of(module, options, Recorder(probes))
    for name in names:
        if name in on_device:
            # Where the whole cannot be compiled, each function tells its own error.
            alone = compiled if compiled is not None else _only(module, name)
            yield _run(alone, name, options, probes)
        else:
            assert whole is not None
            yield _interpret(whole, name, Recorder(probes))


@dataclass(frozen=True)
class _ParallelPrograms:
    """Functions that run grids of processes, which only the reference interpreter has, and what they run."""

    callers: frozenset[str]
    run_by_others: frozenset[str]

    @classmethod
    def of(cls, module: ModuleOp) -> _ParallelPrograms:
        grids = {f.sym_name: [op for op in f.walk() if isinstance(op, RunParallelOp)] for f in _functions(module)}
        named = {n.root for ops in grids.values() for op in ops for row in (*op.programs, op.infeed) for n in row}
        callers = {name for name, ops in grids.items() if ops}
        calls = {f.sym_name: {op.callee.root for op in f.walk() if isinstance(op, CallOp)} for f in _functions(module)}
        while more := {name for name, called in calls.items() if called & callers} - callers:
            callers |= more
        return cls(frozenset(callers), frozenset(named))


def _is_run(f: FuncOp, parallel: _ParallelPrograms, options: CheckOptions) -> bool:
    runs = f.is_public and not f.is_declaration and not f.args and f.sym_name not in parallel.run_by_others
    return runs and options.select(f.sym_name)


def _keep_public(module: ModuleOp, names: Sequence[str]) -> None:
    """Make all other functions private, so that inlining leaves only what is run."""
    for f in _functions(module):
        if f.sym_name not in names:
            f.attributes = {**f.attributes, "sym_visibility": "private"}


def _functions(module: ModuleOp) -> Iterator[FuncOp]:
    return (op for op in module.body if isinstance(op, FuncOp))


def _only(module: ModuleOp, name: str) -> ModuleOp:
    copy = module.clone()
    for op in list(_functions(copy)):
        if op.sym_name != name:
            op.erase()
    return copy


def _interpret(module: ModuleOp, name: str, recorder: Recorder) -> FunctionCheck:
    def run() -> None:
        interpret(module, name, [], recorder.functions())

    return _measured(name, REFERENCE, recorder, run)


def _run(program: _Compiled | ModuleOp, name: str, options: CheckOptions, probes: Probes) -> FunctionCheck:
    recorder = program.recorder if isinstance(program, _Compiled) else Recorder(probes)
    recorder.outcomes.clear()

    def run() -> None:
        compiled = program if isinstance(program, _Compiled) else _Compiled(program, options, recorder)
        compiled.call(name)

    return _measured(name, options.device, recorder, run)


def _measured(name: str, where: str, recorder: Recorder, run: Callable[[], None]) -> FunctionCheck:
    started = time.perf_counter()
    error = ""
    try:
        run()
    except TesselleError as problem:
        error = str(problem)
    return FunctionCheck(name, where, tuple(recorder.outcomes), error, time.perf_counter() - started)


# ---------------------------------------------------------------------------------------------- compiled


class _Compiled:
    """A loaded program, with the constants that became arguments of its functions."""

    def __init__(self, module: ModuleOp, options: CheckOptions, recorder: Recorder) -> None:
        self.recorder = recorder
        self.arguments = {f.sym_name: [] if options.fold else _constants_to_arguments(f) for f in _functions(module)}
        artifact = compile(module, [options.device.partition(":")[0]], options.compile)
        self.program = load(artifact, options.device, custom_calls=recorder.functions())

    @classmethod
    def of(cls, module: ModuleOp, options: CheckOptions, recorder: Recorder) -> _Compiled | None:
        """All functions of `module` in one program; None when that cannot be compiled."""
        try:
            return cls(module.clone(), options, recorder)
        except TesselleError:
            return None

    def call(self, name: str) -> None:
        self.program[name](*self.arguments[name])


def _constants_to_arguments(function: FuncOp) -> list[Array]:
    """Make arguments of the function's constants; the arrays to call it with.

    Constants inside regions, those that shapes are computed from, and those of types that have no array stay.
    """
    needed = _deciding_about_shapes(function)
    arrays: list[Array] = []
    for op in list(function.entry):
        if not isinstance(op, ConstantOp) or op in needed or not _has_array(op.result.type):
            continue
        argument = function.entry.add_arg(op.result.type, op.location)
        arrays.append(op.value.array)
        op.replace_with([argument])
    if arrays:
        t = function.function_type
        function.attributes = {
            **function.attributes,
            "function_type": FunctionType(tuple(a.type for a in function.args), t.results),
            "arg_attrs": None,
        }
    return arrays


def _has_array(t: object) -> bool:
    return isinstance(t, TensorType) and t.is_static and type(t.dtype) is DType


def _deciding_about_shapes(function: FuncOp) -> set[Op]:
    """Operations whose values shapes depend on."""
    stack: list[Value] = []
    for op in function.walk():
        indices: tuple[int, ...] = _SHAPE_OPERANDS.get(op.name, ())
        if isinstance(op, CustomCallOp) and op.call_target_name.startswith("stablehlo.dynamic_"):
            indices = tuple(range(1, len(op.operands)))
        stack.extend(op.operands[i] for i in indices if i < len(op.operands))
    found: set[Op] = set()
    while stack:
        value = stack.pop()
        if isinstance(value, OpResult) and value.owner not in found:
            found.add(value.owner)
            stack.extend(value.owner.operands)
    return found
