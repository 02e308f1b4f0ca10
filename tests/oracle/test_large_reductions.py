"""Reductions of many elements to few, which are computed in two steps: NumPy == reference == compiled."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from text_oracle import run_compiled, run_reference

import tesselle as ts
from tesselle.cli.app import run_command_line

runtime = pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

Array = np.ndarray[Any, Any]


def program(body: str, init: str, shape: tuple[int, ...], axes: tuple[int, ...], dtype: str) -> str:
    whole = f"tensor<{'x'.join(map(str, shape))}x{dtype}>"
    left = "x".join(str(n) for d, n in enumerate(shape) if d not in axes)
    result = f"tensor<{left}{'x' if left else ''}{dtype}>"
    return f"""func.func @main(%x: {whole}) -> {result} {{
      %init = stablehlo.constant dense<{init}> : tensor<{dtype}>
      %r = stablehlo.reduce(%x init: %init) applies stablehlo.{body} across dimensions = {list(axes)}
        : ({whole}, tensor<{dtype}>) -> {result}
      return %r : {result} }}"""


def kernels(text: str) -> list[str]:
    manifest = ts.compile(text).manifest
    return [e.summary for x in manifest.executables for e in x.entries]


SHAPES = [
    ((1024, 1024), (0, 1)),
    ((1 << 18,), (0,)),
    ((300_000,), (0,)),
    ((3, 100_000), (1,)),
    ((100_000, 3), (0,)),
    ((2, 2, 90_000), (0, 1, 2)),
    ((8, 7, 64, 64), (0, 2, 3)),
    ((40, 50, 100, 5), (0, 1, 2)),
]


@pytest.mark.parametrize(("shape", "axes"), SHAPES)
@pytest.mark.parametrize("body", ["add", "maximum", "minimum"])
def test_floats(body: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    init, reduce = {
        "add": ("0.0", np.add.reduce),
        "maximum": ("0xFF800000", np.maximum.reduce),
        "minimum": ("0x7F800000", np.minimum.reduce),
    }[body]
    text = program(body, init, shape, axes, "f32")
    assert len(kernels(text)) == 2, "one kernel for the parts, and one for what they give"
    (found,), (meaning,) = run_compiled(text, x), run_reference(text, x)
    wanted = reduce(x.astype(np.float64), axis=axes)
    if body == "add":
        limit = 1e-6 * np.abs(x).sum(axis=axes).max()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=limit)
        np.testing.assert_allclose(meaning, wanted, rtol=0, atol=limit)
    else:
        np.testing.assert_array_equal(found, wanted.astype(np.float32))
        np.testing.assert_array_equal(meaning, found)


@pytest.mark.parametrize(
    ("body", "init", "dtype"),
    [
        ("add", "7", "i32"),
        ("multiply", "3", "i64"),
        ("maximum", "-5", "i8"),
        ("minimum", "200", "ui8"),
        ("maximum", "2", "ui32"),
        ("and", "-1", "i16"),
        ("and", "4294967295", "ui32"),
        ("or", "0", "ui64"),
        ("xor", "1", "i32"),
        ("and", "true", "i1"),
        ("or", "false", "i1"),
        ("add", "0.5", "f64"),
        ("multiply", "1.0", "f64"),
    ],
)
@pytest.mark.parametrize(("shape", "axes"), [((512, 512), (0, 1)), ((262_144, 2), (0,))])
def test_every_combination(body: str, init: str, dtype: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    if dtype == "i1":
        x = rng.random(shape) < (0.999999 if body == "and" else 0.000001)
    elif dtype == "f64":
        x = 1 + rng.normal(size=shape) * 1e-4
    else:
        numpy = np.dtype(dtype.replace("ui", "uint") if dtype[0] == "u" else dtype.replace("i", "int"))
        x = rng.integers(np.iinfo(numpy).min, np.iinfo(numpy).max, shape, numpy, endpoint=True)
        if body in ("and", "or"):
            # A bit that every element has, or none.
            x = x | numpy.type(4) if body == "and" else x & ~numpy.type(4)
    text = program(body, init, shape, axes, dtype)
    assert len(kernels(text)) == 2
    (found,), (meaning,) = run_compiled(text, x), run_reference(text, x)
    if dtype == "f64":
        np.testing.assert_allclose(found, meaning, rtol=1e-9)
    else:
        np.testing.assert_array_equal(found, meaning)


def test_nan_infinities_and_zeros_keep_their_meaning() -> None:
    negative = np.full((512, 512), -0.0, np.float32)
    (found,) = run_compiled(program("add", "-0.0", (512, 512), (0, 1), "f32"), negative)
    assert np.signbit(found), "a sum of -0 that begins with -0"
    odd = negative.copy()
    odd[300, 17] = np.nan
    for body, init in (("maximum", "0xFF800000"), ("minimum", "0x7F800000"), ("add", "0.0")):
        (found,) = run_compiled(program(body, init, (512, 512), (0, 1), "f32"), odd)
        assert np.isnan(found)
    (found,) = run_compiled(program("maximum", "0xFF800000", (512, 512), (0, 1), "f32"), negative - np.inf)
    assert found == -np.inf


def test_what_is_left_as_it_is() -> None:
    """Enough rows are work for every core; small ones are one step."""
    assert len(kernels(program("add", "0.0", (64, 8192), (1,), "f32"))) == 1
    assert len(kernels(program("add", "0.0", (100, 100), (0, 1), "f32"))) == 1


def test_partial_sums_of_narrow_floats_are_wide() -> None:
    x = np.ones((512, 512), ml_dtypes.bfloat16)
    (found,) = run_compiled(program("add", "0.0", (512, 512), (0, 1), "bf16"), x)
    assert found == 262_144
    x[17, 33] = 2
    (found,) = run_compiled(program("maximum", "0xFF80", (512, 512), (0, 1), "bf16"), x)
    assert found == 2


def test_both_steps_share_out_work(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    source = tmp_path / "sum.mlir"
    source.write_text(program("add", "0.0", (1024, 1024), (0, 1), "f32"))
    assert run_command_line(["explain", str(source)]) == 0
    first = capsys.readouterr().out.splitlines()[2]
    assert "workgroups of" in first and "one workgroup" not in first
