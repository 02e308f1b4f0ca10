"""Quantized programs run four ways: by hand, by the reference, compiled, and by jaxlib's StableHLO.

The arithmetic by hand is written down here from the specification, element by element, so that no code is shared with
the compiler: f = (i - zero_point) * scale, and back.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from tesselle.compiler import compile
from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify
from tesselle.reference import interpret
from tesselle.support.options import CompileOptions

Array = np.ndarray[Any, Any]

FLOATS: dict[str, Any] = {
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
    "f8E4M3FN": ml_dtypes.float8_e4m3fn,
}
STORAGES: dict[str, tuple[Any, int, int]] = {
    "i2": (ml_dtypes.int2, -2, 1),
    "i4": (ml_dtypes.int4, -8, 7),
    "u4": (ml_dtypes.uint4, 0, 15),
    "i8": (np.int8, -128, 127),
    "u8": (np.uint8, 0, 255),
    "i16": (np.int16, -(1 << 15), (1 << 15) - 1),
    "u16": (np.uint16, 0, (1 << 16) - 1),
    "i32": (np.int32, -(1 << 31), (1 << 31) - 1),
}


@dataclass(frozen=True)
class Quant:
    """How a tensor is quantized; `bounds` narrow what is stored."""

    scales: tuple[float, ...] = (0.5,)
    zeros: tuple[int, ...] = (0,)
    axis: int | None = None
    storage: str = "i8"
    expressed: str = "f32"
    bounds: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        bounds = f"<{self.bounds[0]}:{self.bounds[1]}>" if self.bounds else ""
        pairs = ", ".join(f"{s!r}:{z}" for s, z in zip(self.scales, self.zeros, strict=True))
        if self.axis is None:
            return f"!quant.uniform<{self.storage}{bounds}:{self.expressed}, {pairs}>"
        return f"!quant.uniform<{self.storage}{bounds}:{self.expressed}:{self.axis}, {{{pairs}}}>"

    def tensor(self, *shape: int | str) -> str:
        return f"tensor<{''.join(f'{d}x' for d in shape)}{self.text}>"

    @property
    def dtype(self) -> Any:
        return STORAGES[self.storage][0]

    @property
    def range(self) -> tuple[int, int]:
        return self.bounds or STORAGES[self.storage][1:]

    def sample(self, *shape: int, seed: int = 0) -> Array:
        """Stored integers, the least and the greatest among them."""
        low, high = self.range
        values = np.random.default_rng(seed).integers(low, high, shape, endpoint=True)
        if values.size >= 2:
            values.reshape(-1)[:2] = low, high
        return values.astype(np.int64).astype(self.dtype)

    def to_float(self, x: Array) -> Array:
        """f = (i - zero_point) * scale, one element after the other."""
        kind = FLOATS[self.expressed]
        out = np.empty(x.shape, kind)
        for place in itertools.product(*map(range, x.shape)):
            k = 0 if self.axis is None else place[self.axis]
            out[place] = kind(int(x[place]) - self.zeros[k]) * kind(self.scales[k])
        return out

    def to_stored(self, x: Array) -> Array:
        """round_nearest_even(clamp(min, x / scale + zero_point, max)), one element after the other."""
        kind, (low, high) = FLOATS[self.expressed], self.range
        x = np.asarray(x).astype(kind)
        out = np.empty(x.shape, np.int64)
        for place in itertools.product(*map(range, x.shape)):
            k = 0 if self.axis is None else place[self.axis]
            moved = kind(kind(x[place]) / kind(self.scales[k])) + kind(self.zeros[k])
            if np.isnan(float(moved)):
                out[place] = 0
                continue
            clamped = float(min(max(moved, kind(low)), kind(high)))
            out[place] = min(max(round(clamped), low), high)  # Python rounds halves to even
        return out.astype(self.dtype)


def function(arguments: Sequence[str], results: Sequence[str], body: str) -> str:
    """The text of a module with `main` on arguments %a, %b, …; `body` defines %r0, %r1, …"""
    args = ", ".join(f"%{n}: {t}" for n, t in zip("abcdefgh", arguments, strict=False))
    values = ", ".join(f"%r{i}" for i in range(len(results)))
    types = ", ".join(results)
    return f"func.func @main({args}) -> ({types}) {{\n{body}\n  return {values} : {types}\n}}\n"


def by_reference(text: str, arrays: Sequence[Array]) -> list[Array]:
    module = parse_module(text, "case.mlir")
    verify(module)
    return interpret(module, "main", arrays)


def compiled(text: str, arrays: Sequence[Array], cache: Path) -> list[Array]:
    from tesselle import runtime

    artifact = compile(text, options=CompileOptions(verify_each=True, cache_dir=cache))
    results = runtime.load(artifact)["main"](*arrays)
    return [np.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]


@functools.cache
def _jaxlib() -> tuple[Any, Callable[[str], Any]]:
    from jax._src.interpreters import mlir
    from jax._src.lib import _jax
    from jaxlib.mlir import passmanager
    from jaxlib.mlir._mlir_libs import _stablehlo
    from jaxlib.mlir.dialects import stablehlo

    _stablehlo.register_stablehlo_passes()
    context = mlir.make_ir_context()

    def read(text: str) -> Any:
        # Python's parser has no `quant` dialect; the reader of portable artifacts loads it.
        data = _jax.mlir.serialize_portable_artifact(f"module {{\n{text}\n}}", "1.0.0")
        with context:
            module = stablehlo.deserialize_portable_artifact(context, data)
            pipeline = "builtin.module(func.func(stablehlo-legalize-quantized-op-to-qdq))"
            passmanager.PassManager.parse(pipeline).run(module.operation)
        return module

    return context, read


def by_jaxlib(text: str, arrays: Sequence[Array]) -> list[Array]:
    """What StableHLO's own interpreter gives, once its pass has put dequantize and quantize around every operation."""
    from jaxlib.mlir import ir
    from jaxlib.mlir._mlir_libs import _stablehlo

    context, read = _jaxlib()
    with context:
        module = read(text)
        arguments = [ir.DenseElementsAttr.get(np.ascontiguousarray(a)) for a in arrays]
        return [np.array(r) for r in _stablehlo.eval_module(module, arguments)]


def check(
    text: str, arrays: Sequence[Array], expected: Sequence[Array], cache: Path, *, jaxlib: bool = True, steps: int = 0
) -> None:
    """All ways agree with `expected`: exactly, or up to `steps` quanta where sums depend on their order."""
    ways = {"the reference": by_reference(text, arrays), "compiled": compiled(text, arrays, cache)}
    if jaxlib:
        ways["jaxlib"] = by_jaxlib(text, arrays)
    for way, found in ways.items():
        assert len(found) == len(expected), way
        for i, (have, want) in enumerate(zip(found, expected, strict=True)):
            assert have.shape == want.shape, f"{way}, result {i}: {have.shape}"
            assert have.dtype == want.dtype, f"{way}, result {i}: {have.dtype}"
            if want.dtype.kind == "f" or want.dtype == ml_dtypes.bfloat16:
                np.testing.assert_allclose(
                    have.astype(np.float64), want.astype(np.float64), rtol=2e-6, atol=1e-6, err_msg=f"{way}, result {i}"
                )
                continue
            difference = np.abs(have.astype(np.int64) - want.astype(np.int64))
            limit = steps if way != "the reference" or steps else 0
            assert difference.max(initial=0) <= limit, f"{way}, result {i}:\n{have}\nexpected\n{want}"
