"""One program through the compiler and the reference."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np

import tesselle as ts
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import CompilerError, TesselleError, Unsupported

from .compare import Expectation
from .generate import Program, generate

Kind = Literal["equal", "unsupported", "different", "invalid", "compiler fault", "crash"]
FAILURES = ("different", "invalid", "compiler fault", "crash")


@dataclass(frozen=True)
class Verdict:
    """`detail`: what is wrong, in a line or more. `invalid`: the generator's own fault."""

    kind: Kind
    detail: str = ""

    @property
    def failed(self) -> bool:
        return self.kind in FAILURES


def program_of(seed: int) -> Program:
    """The program of one number."""
    return generate(Random(seed))


def evaluate(program: Program, options: ts.CompileOptions | None = None) -> Verdict:
    """Compile and run the program, and compare."""
    try:
        module = parse_module(program.text, "fuzz.mlir")
        assert isinstance(module, ModuleOp)
        verify(module)
    except TesselleError as error:
        return Verdict("invalid", str(error))
    try:
        expectation = Expectation(module, program.arguments)
    except Exception as error:
        return Verdict("invalid", f"the reference: {type(error).__name__}: {error}")
    try:
        function = ts.load(ts.compile(program.text, options=options or ts.CompileOptions(jobs=1)))["main"]
        results = function(*program.arguments)
    except Unsupported as error:
        return Verdict("unsupported", str(error))
    except (CompilerError, TesselleError) as error:
        return Verdict("compiler fault", str(error))
    found = [np.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]
    wrong = expectation.difference(found)
    return Verdict("equal") if wrong is None else Verdict("different", wrong)
