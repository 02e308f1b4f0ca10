"""The whole way: StableHLO text to an artifact that the native runtime runs; and from any phase to any other."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from random_sizes import combinations

from tesselle.compiler import compile, compile_to_text
from tesselle.compiler.pipeline import PHASES
from tesselle.support.diagnostics import InvocationError, OptionError
from tesselle.support.options import CompileOptions
from tesselle.support.progress import Progress

sys.path.insert(0, str(Path(__file__).parent))
from programs import CASES, Case

runtime = pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")


def by_name(name: str) -> Case:
    return next(c for c in CASES if c.name == name)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("objects")


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_runs(case: Case, cache: Path) -> None:
    artifact = compile(case.text, options=CompileOptions(verify_each=True, cache_dir=cache))
    function = runtime.load(artifact)["main"]
    expected = case.expected(*case.arguments)
    for _ in range(3):  # the second call executes command buffers that the first recorded
        results = function(*case.arguments)
        results = results if isinstance(results, tuple) else (results,)
        assert len(results) == len(expected)
        for have, want in zip(results, expected, strict=True):
            np.testing.assert_allclose(np.asarray(have), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "scan", "double_until"])
def test_every_phase_can_be_taken_up_again(name: str, cache: Path) -> None:
    case = by_name(name)
    text, previous = case.text, None
    for phase in PHASES:
        options = CompileOptions(compile_from=previous, compile_to=phase.name, cache_dir=cache)
        text, previous = compile_to_text(text, options=options), phase.name
    artifact = compile(text, options=CompileOptions(compile_from=previous, cache_dir=cache))
    results = runtime.load(artifact)["main"](*case.arguments)
    results = results if isinstance(results, tuple) else (results,)
    for have, want in zip(results, case.expected(*case.arguments), strict=True):
        np.testing.assert_allclose(np.asarray(have), want, rtol=1e-5, atol=1e-5)


def test_dumps_every_phase_and_every_step_of_every_executable(tmp_path: Path, cache: Path) -> None:
    compile(by_name("mlp").text, options=CompileOptions(dump_phases=tmp_path, cache_dir=cache))
    names = [p.name for p in sorted(tmp_path.glob("*.mlir"))]
    assert names == [f"{i:02}-{phase.name}.mlir" for i, phase in enumerate(PHASES, 1)]
    (executable,) = (tmp_path / "executables").iterdir()
    assert list(executable.glob("*.ll"))
    assert [p.name[:3] for p in sorted(executable.glob("*.mlir"))][:2] == ["01-", "02-"]


def test_manifest_and_report(cache: Path) -> None:
    artifact = compile(by_name("mlp").text, options=CompileOptions(cache_dir=cache))
    (function,) = artifact.manifest.functions
    assert [str(a.shape) for a in function.arguments] == ["(4, 16)", "(16, 32)", "(32,)"]
    assert function.peak_transient_bytes == 0  # one dispatch, straight into the result
    (executable,) = artifact.manifest.executables
    assert "contract" in executable.name
    assert executable.entries[0].flops is not None
    report = artifact.compile_report
    assert report is not None
    assert list(report.phases()) == ["import", *(p.name for p in PHASES)]


def test_progress_names_every_phase(cache: Path) -> None:
    told: list[Progress] = []
    compile(by_name("add").text, options=CompileOptions(cache_dir=cache), progress=told.append)
    assert {p.phase for p in told} >= {phase.name for phase in PHASES}
    assert told[-1].done == told[-1].total == len(PHASES)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (CompileOptions(compile_to="nowhere"), "there is no phase 'nowhere'"),
        (CompileOptions(compile_from="stream", compile_to="flow"), "lies behind"),
    ],
)
def test_phases_that_make_no_sense(options: CompileOptions, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        compile_to_text(by_name("add").text, options=options)


def test_unknown_target() -> None:
    with pytest.raises(OptionError, match="there is no target 'tpu'"):
        compile(by_name("add").text, targets=["tpu"])


def test_dimensions_that_must_agree_are_checked(cache: Path) -> None:
    text = """
func.func @main(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %0 = stablehlo.add %a, %b : tensor<?xf32>
  return %0 : tensor<?xf32>
}"""
    function = runtime.load(compile(text, options=CompileOptions(cache_dir=cache)))["main"]
    for v in combinations("n"):
        x = np.arange(v["n"], dtype=np.float32)
        np.testing.assert_array_equal(np.asarray(function(x, x)), x + x)
    five = np.ones(5, np.float32)
    np.testing.assert_array_equal(np.asarray(function(five, five)), five + five)
    expected = "argument 1 'b': dimension 0 is 6, but must equal dimension 0 of argument 0 'a', which is 5"
    with pytest.raises(InvocationError, match=expected):
        function(five, np.ones(6, np.float32))


def test_a_loop_that_exchanges_tensors_of_any_sizes(cache: Path) -> None:
    """Nothing in the text says that the sizes of %a and %b are one, and they need not be."""
    text = """
func.func @main(%a: tensor<?xf32>, %b: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %r:3 = stablehlo.while(%i = %zero, %x = %a, %y = %b) : tensor<i32>, tensor<?xf32>, tensor<?xf32> cond {
    %n = stablehlo.constant dense<3> : tensor<i32>
    %p = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %one = stablehlo.constant dense<1> : tensor<i32>
    %j = stablehlo.add %i, %one : tensor<i32>
    %z = stablehlo.negate %x : tensor<?xf32>
    stablehlo.return %j, %y, %z : tensor<i32>, tensor<?xf32>, tensor<?xf32>
  }
  return %r#1, %r#2 : tensor<?xf32>, tensor<?xf32>
}"""
    function = runtime.load(compile(text, options=CompileOptions(cache_dir=cache)))["main"]
    x = np.arange(5, dtype=np.float32)
    for y in (np.ones(5, np.float32), np.ones(6, np.float32)):
        found = function(x, y)
        np.testing.assert_array_equal(np.asarray(found[0]), -y)
        np.testing.assert_array_equal(np.asarray(found[1]), x)
    for v in combinations("mn"):
        x, y = np.arange(v["m"], dtype=np.float32), np.ones(v["n"], np.float32)
        for found, wanted in zip(function(x, y), (-y, x), strict=True):
            np.testing.assert_array_equal(np.asarray(found), wanted)


def test_an_empty_dimension_beside_a_dynamic_one(cache: Path) -> None:
    text = """
func.func @main(%a: tensor<?x2x3xf32>, %p: tensor<f32>) -> tensor<?x2x0xf32> {
  %0 = stablehlo.pad %a, %p, low = [0, 0, -2], high = [0, 0, -3], interior = [0, 0, 1] : (tensor<?x2x3xf32>, tensor<f32>) -> tensor<?x2x0xf32>
  return %0 : tensor<?x2x0xf32>
}"""  # noqa: E501 (one line of MLIR)
    function = runtime.load(compile(text, options=CompileOptions(cache_dir=cache)))["main"]
    for v in combinations("n"):
        assert np.asarray(function(np.ones((v["n"], 2, 3), np.float32), np.float32(0))).shape == (v["n"], 2, 0)


def test_a_complex_constant_that_regions_and_results_share(cache: Path) -> None:
    """It stands in the dispatch: push constants are numbers that the host computes with."""
    text = """
func.func @main(%a: tensor<4xcomplex<f32>>) -> (tensor<4xcomplex<f32>>, tensor<2xcomplex<f32>>) {
  %c = stablehlo.constant dense<(0.5, 2.0)> : tensor<complex<f32>>
  %0 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<complex<f32>>) -> tensor<4xcomplex<f32>>
  %1 = stablehlo.add %a, %0 : tensor<4xcomplex<f32>>
  %2 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<complex<f32>>) -> tensor<2xcomplex<f32>>
  return %1, %2 : tensor<4xcomplex<f32>>, tensor<2xcomplex<f32>>
}"""
    x = np.arange(4).astype(np.complex64)
    first, second = runtime.load(compile(text, options=CompileOptions(cache_dir=cache)))["main"](x)
    np.testing.assert_array_equal(np.asarray(first), x + np.complex64(0.5 + 2j))
    np.testing.assert_array_equal(np.asarray(second), np.full(2, 0.5 + 2j, np.complex64))
