"""Tesselle compiles machine-learning programs ahead of time and runs them anywhere.

    import tesselle as ts

    artifact = ts.compile("model.mlir", targets=["cpu"])
    artifact.save("model.tsl")
    program = ts.load("model.tsl")
    y = program["main"](x)

Every name is imported when it is first used: running a program loads neither the compiler nor LLVM.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tesselle.support.version import __version__

if TYPE_CHECKING:
    from tesselle.artifact import Artifact
    from tesselle.compiler import compile
    from tesselle.runtime import Function, Future, Program, Session, devices, load
    from tesselle.support.custom_calls import (
        ArraySpec,
        CustomCall,
        custom_call,
        custom_call_expansion,
        unregister_custom_call,
    )
    from tesselle.support.diagnostics import (
        ArtifactError,
        CompilerError,
        Diagnostic,
        ExecutionError,
        InvocationError,
        OptionError,
        ParseError,
        SessionError,
        TesselleError,
        Unsupported,
        VerifyError,
    )
    from tesselle.support.options import CompileOptions

_HOMES = {
    "Artifact": "tesselle.artifact",
    "ArraySpec": "tesselle.support.custom_calls",
    "ArtifactError": "tesselle.support.diagnostics",
    "CompileOptions": "tesselle.support.options",
    "CompilerError": "tesselle.support.diagnostics",
    "CustomCall": "tesselle.support.custom_calls",
    "Diagnostic": "tesselle.support.diagnostics",
    "ExecutionError": "tesselle.support.diagnostics",
    "Function": "tesselle.runtime",
    "Future": "tesselle.runtime",
    "InvocationError": "tesselle.support.diagnostics",
    "OptionError": "tesselle.support.diagnostics",
    "ParseError": "tesselle.support.diagnostics",
    "Program": "tesselle.runtime",
    "Session": "tesselle.runtime",
    "SessionError": "tesselle.support.diagnostics",
    "TesselleError": "tesselle.support.diagnostics",
    "Unsupported": "tesselle.support.diagnostics",
    "VerifyError": "tesselle.support.diagnostics",
    "compile": "tesselle.compiler",
    "custom_call": "tesselle.support.custom_calls",
    "custom_call_expansion": "tesselle.support.custom_calls",
    "devices": "tesselle.runtime",
    "load": "tesselle.runtime",
    "unregister_custom_call": "tesselle.support.custom_calls",
}

__all__ = [
    "ArraySpec",
    "Artifact",
    "ArtifactError",
    "CompileOptions",
    "CompilerError",
    "CustomCall",
    "Diagnostic",
    "ExecutionError",
    "Function",
    "Future",
    "InvocationError",
    "OptionError",
    "ParseError",
    "Program",
    "Session",
    "SessionError",
    "TesselleError",
    "Unsupported",
    "VerifyError",
    "__version__",
    "compile",
    "custom_call",
    "custom_call_expansion",
    "devices",
    "load",
    "unregister_custom_call",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
