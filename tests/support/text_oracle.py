"""StableHLO texts, run three ways: by XLA, by the reference, compiled for the CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax._src import xla_bridge
from jax._src.interpreters import mlir
from jax._src.lib import xla_client
from jaxlib.mlir import ir
from oracle_harness import assert_close

from tesselle.compiler import compile
from tesselle.ir.text import parse_module
from tesselle.reference import interpret
from tesselle.runtime import load
from tesselle.support.options import CompileOptions

Array = np.ndarray[Any, Any]


@cache
def _object_cache() -> Path:
    return Path(tempfile.mkdtemp(prefix="tesselle-objects-"))


def run_xla(text: str, *arguments: Any) -> list[Array]:
    """The results of @main, computed by jaxlib."""
    backend = xla_bridge.get_backend("cpu")
    with mlir.make_ir_context():
        module = ir.Module.parse(text)
        devices = xla_client.DeviceList(tuple(backend.local_devices()[:1]))
        options = xla_client.CompileOptions()
        executable = backend.compile_and_load(module, devices, options)
    placed = [jax.device_put(np.asarray(a), backend.local_devices()[0]) for a in arguments]
    return [np.asarray(a[0]) for a in executable.execute_sharded(placed).disassemble_into_single_device_arrays()]


def run_compiled(text: str, *arguments: Any) -> list[Array]:
    """The results of @main, compiled and run."""
    results = load(compile(text, options=CompileOptions(cache_dir=_object_cache())))["main"](*arguments)
    return [np.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]


def run_reference(text: str, *arguments: Any) -> list[Array]:
    return interpret(parse_module(text, "case.mlir"), "main", [np.asarray(a) for a in arguments])  # type: ignore[arg-type] # a module


def check_text(
    text: str, *arguments: Any, wanted: Sequence[Any] | None = None, tolerance: float | None = None
) -> list[Array]:
    """XLA (or `wanted`), the reference and the compiled program agree; the compiled results."""
    if wanted is None:
        wanted = run_xla(text, *arguments)
    assert_close(run_reference(text, *arguments), wanted, "the reference", tolerance)
    compiled = run_compiled(text, *arguments)
    assert_close(compiled, wanted, "compiled", tolerance)
    return compiled
