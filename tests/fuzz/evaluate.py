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

from .compare import CALLS, Expectation
from .generate import Program, generate
from .values import Array
from .variables import variables_of

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


def program_of(seed: int, with_variables: bool = False) -> Program:
    """The program of one number."""
    return generate(Random(seed), with_variables=with_variables)


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
        loaded = ts.load(ts.compile(program.text, options=options or ts.CompileOptions(jobs=1)))
        variables = variables_of(module)
        found: list[Array] = []
        for _ in range(CALLS if variables else 1):
            results = loaded["main"](*program.arguments)
            results = results if isinstance(results, tuple) else () if results is None else (results,)
            found += [np.asarray(r) for r in results]
        state = loaded.session.state_dict()
        found += [state[name] for name in variables]
    except Unsupported as error:
        return Verdict("unsupported", str(error))
    except (CompilerError, TesselleError) as error:
        return Verdict("compiler fault", str(error))
    wrong = expectation.difference(found)
    return Verdict("equal") if wrong is None else Verdict("different", wrong)
