"""Runs the expectations that programs state about themselves: what `tesselle check` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tesselle.compiler.session import compile
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
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

    Functions are compiled together where that works, else one by one, so that a function that is not supported says so
    and hides no other. Errors: those of inlining; what goes wrong in a function is part of its result.
    """
    Pipeline((InlineCalls(), ExpandChecks())).run(module)
    for op in list(_functions(module)):
        if op.is_declaration or op.args or not op.is_public or not options.select(op.sym_name):
            op.erase()
    names = [f.sym_name for f in _functions(module)]
    if options.reference:
        for name in names:
            yield _interpret(module, name, options)
        return
    compiled = _Compiled.of(module, options)
    for name in names:
        # Where the whole cannot be compiled, each function tells its own error.
        alone = compiled if compiled is not None else _only(module, name)
        yield _run(alone, name, options)


def _functions(module: ModuleOp) -> Iterator[FuncOp]:
    return (op for op in module.body if isinstance(op, FuncOp))


def _only(module: ModuleOp, name: str) -> ModuleOp:
    copy = module.clone()
    for op in list(_functions(copy)):
        if op.sym_name != name:
            op.erase()
    return copy


def _interpret(module: ModuleOp, name: str, options: CheckOptions) -> FunctionCheck:
    recorder = Recorder(options.probes)

    def run() -> None:
        interpret(module, name, [], recorder.functions())

    return _measured(name, REFERENCE, recorder, run)


def _run(program: _Compiled | ModuleOp, name: str, options: CheckOptions) -> FunctionCheck:
    recorder = program.recorder if isinstance(program, _Compiled) else Recorder(options.probes)
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
    def of(cls, module: ModuleOp, options: CheckOptions) -> _Compiled | None:
        """All functions of `module` in one program; None when that cannot be compiled."""
        try:
            return cls(module.clone(), options, Recorder(options.probes))
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
