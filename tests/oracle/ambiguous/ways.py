"""One StableHLO program run by the reference, compiled, and by XLA: results equal to the last bit, -0 apart from 0."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from tesselle import runtime
from tesselle.compiler import compile
from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify
from tesselle.reference import interpret
from tesselle.support.options import CompileOptions

Array = np.ndarray[Any, Any]

NUMPY: dict[str, Any] = {
    "i1": np.bool_,
    "i2": ml_dtypes.int2,
    "i4": ml_dtypes.int4,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "ui2": ml_dtypes.uint2,
    "ui4": ml_dtypes.uint4,
    "ui8": np.uint8,
    "ui16": np.uint16,
    "ui32": np.uint32,
    "ui64": np.uint64,
    "bf16": ml_dtypes.bfloat16,
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
    "complex<f32>": np.complex64,
    "complex<f64>": np.complex128,
}
SIGNED = ("i8", "i16", "i32", "i64")
UNSIGNED = ("ui8", "ui16", "ui32", "ui64")
FLOATS = ("bf16", "f16", "f32", "f64")
_NAMES = {np.dtype(t): n for n, t in NUMPY.items()}

NAN, INF = float("nan"), float("inf")


def tensor(x: Array) -> str:
    """The type of an array."""
    return f"tensor<{''.join(f'{d}x' for d in x.shape)}{_NAMES[x.dtype]}>"


def array(values: Any, dtype: str) -> Array:
    """Values as an array; integers may be beyond int64."""
    if dtype.startswith(("i", "ui")) and dtype != "i1":
        return np.array(values, object).astype(NUMPY[dtype])
    return np.array(values).astype(NUMPY[dtype])


def bounds(dtype: str) -> tuple[int, int]:
    """The least and the greatest integer."""
    bits = int(dtype.lstrip("ui"))
    return (0, (1 << bits) - 1) if dtype.startswith("u") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def program(arrays: Sequence[Array], body: str, results: Sequence[Array]) -> str:
    """`main` on arguments %a, %b, … of the arrays' types; the body defines %r0, %r1, … of those of `results`."""
    args = ", ".join(f"%{n}: {tensor(x)}" for n, x in zip("abcdefgh", arrays, strict=False))
    types = ", ".join(map(tensor, results))
    values = ", ".join(f"%r{i}" for i in range(len(results)))
    return f"func.func @main({args}) -> ({types}) {{\n{body}\n  return {values} : {types}\n}}\n"


@functools.cache
def _client() -> Any:
    from jax._src import xla_bridge

    return xla_bridge.get_backend("cpu")


def by_xla(text: str, arrays: Sequence[Array]) -> list[Array]:
    import jax
    from jaxlib import _jax

    client = _client()
    devices = _jax.DeviceList(tuple(client.local_devices()[:1]))
    executable = client.compile_and_load(text, devices, _jax.CompileOptions())
    results = executable.execute_sharded([jax.device_put(a) for a in arrays])
    return [np.asarray(r[0]) for r in results.disassemble_into_single_device_arrays()]


def by_reference(text: str, arrays: Sequence[Array]) -> list[Array]:
    module = parse_module(text, "case.mlir")
    verify(module)
    return interpret(module, "main", arrays)


def compiled(text: str, arrays: Sequence[Array], cache: Path) -> list[Array]:
    results = runtime.load(compile(text, options=CompileOptions(cache_dir=cache)))["main"](*arrays)
    return [np.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]


def same(found: Array, expected: Array, what: str) -> None:
    """Equal types, shapes and bits, but that one nan is as good as another."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), f"{what}: {found.dtype}{found.shape}"
    if expected.dtype.kind not in "fcV" or expected.dtype in (np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.int2)):
        np.testing.assert_array_equal(found, expected, err_msg=what)
        return
    kind = np.complex128 if expected.dtype.kind == "c" else np.float64
    have, want = found.astype(kind), expected.astype(kind)
    parts = [(have.real, want.real), (have.imag, want.imag)] if kind is np.complex128 else [(have, want)]
    for x, y in parts:
        np.testing.assert_array_equal(x, y, err_msg=what)
        np.testing.assert_array_equal(
            np.signbit(x) & ~np.isnan(x), np.signbit(y) & ~np.isnan(y), err_msg=f"{what}: signs"
        )


def check(
    arrays: Sequence[Array],
    body: str,
    expected: Sequence[Array],
    cache: Path,
    *,
    xla: bool = True,
    reference: bool = True,
) -> None:
    """All ways give `expected`. Without `xla` the test says why XLA is not asked."""
    text = program(arrays, body, expected)
    ways = {"compiled": compiled(text, arrays, cache)}
    if reference:
        ways["the reference"] = by_reference(text, arrays)
    if xla:
        ways["XLA"] = by_xla(text, arrays)
    for way, results in ways.items():
        for i, (have, want) in enumerate(zip(results, expected, strict=True)):
            same(have, want, f"{way}, result {i}")
