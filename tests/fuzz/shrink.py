"""Making a program smaller while it still fails.

Steps on the operations of @main: keep one result only; put arguments, with the values that the reference computes, in
place of an operation's results. What nothing uses any more goes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.ml_program import GlobalStoreOp
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.types import FunctionType
from tesselle.reference import Interpreter

from .generate import Program
from .values import Array

Fails = Callable[[Program], bool]


def shrink(program: Program, fails: Fails, max_trials: int = 400) -> Program:
    """The smallest program that was found; `fails(program)` holds for it as for the first."""
    trials = 0
    progress = True
    while progress:
        progress = False
        for candidate in _candidates(program):
            trials += 1
            if trials > max_trials:
                return program
            if fails(candidate):
                program, progress = candidate, True
                break
    return program


def _candidates(program: Program) -> Iterator[Program]:
    """Smaller programs: those that lose most first."""
    body = _body(program)[1]
    operations = list(body)[:-1]
    result_count = len(body.terminator.operands)
    if result_count > 1:
        for half in (range(result_count // 2), range(result_count // 2, result_count)):
            yield _edited(program, results=half)
        if result_count <= 8:
            for i in range(result_count):
                yield _edited(program, results=range(i, i + 1))
    # First the operations in front, many at once: failures mostly need the last one.
    count = len(operations)
    for size in (count // 2, count // 4, 1):
        if size < 1:
            continue
        for start in range(0, count - size + 1, size):
            smaller: list[Program] = []
            group = [i for i in range(start, start + size) if operations[i].results or _stores(operations[i])]
            if group and not all(operations[i].name == "stablehlo.constant" for i in group):
                with contextlib.suppress(Exception):  # the reference may be what fails
                    smaller.append(_edited(program, cut=group))
                yield from smaller


def _body(program: Program) -> tuple[ModuleOp, Block]:
    module = parse_module(program.text, "fuzz.mlir")
    assert isinstance(module, ModuleOp)
    function = module.lookup("main")
    assert isinstance(function, FuncOp)
    return module, function.entry


def _edited(program: Program, results: range | None = None, cut: list[int] | None = None) -> Program:
    module, block = _body(program)
    function = module.lookup("main")
    assert isinstance(function, FuncOp)
    arguments = list(program.arguments)
    operations = list(block)[:-1]
    terminator = block.terminator
    if cut:
        values = _values(module, program.arguments, operations)
        for i in cut:
            for value in operations[i].results:
                if value.uses:
                    arguments.append(values[value])
                    value.replace_all_uses_with(block.add_arg(value.type))
            if _stores(operations[i]):
                operations[i].erase()
        operations = [op for i, op in enumerate(operations) if i not in cut or op.parent is not None]
    if results is not None:
        kept = [terminator.operands[i] for i in results]
        terminator.erase()
        block.append(type(terminator)(kept))
        terminator = block.terminator
    # A result that is an argument says nothing.
    kept = [v for v in terminator.operands if v.defining_op is not None]
    if kept and len(kept) < len(terminator.operands):
        terminator.erase()
        block.append(type(terminator)(kept))
        terminator = block.terminator
    for op in reversed(operations):
        if not any(v.uses for v in op.results) and not _stores(op):
            op.erase()
    for i in reversed(range(len(block.args))):
        if not block.args[i].uses:
            block.erase_arg(i)
            del arguments[i]
    function.function_type = FunctionType(
        tuple(a.type for a in block.args), tuple(v.type for v in block.terminator.operands)
    )
    return Program(print_op(module), tuple(arguments))


def _stores(op: Op) -> bool:
    """Whether it is seen though nobody uses its results."""
    return any(isinstance(o, GlobalStoreOp) for o in op.walk())


def _values(module: ModuleOp, arguments: tuple[Array, ...], operations: list[Op]) -> dict[Value, Array]:
    """What the reference computes for every value of the block."""
    interpreter = Interpreter(module)
    function = module.lookup("main")
    assert isinstance(function, FuncOp)
    interpreter.environment.update(zip(function.entry.args, arguments, strict=True))
    with np.errstate(all="ignore"):
        interpreter.run_ops(operations)
    return interpreter.environment
