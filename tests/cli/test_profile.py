"""`tesselle profile`, `explain` and `bench`: traces that viewers take, tables that add up, reasons for every kernel."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import tesselle as ts
from tesselle.cli.app import run_command_line

runtime = pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

PROGRAM = """
func.func @main(%x: tensor<64x96xf32>, %w: tensor<96x80xf32>) -> (tensor<64x80xf32>, tensor<64x160xf32>, tensor<64x80xf32>) {
  %zero = stablehlo.constant dense<0.0> : tensor<64x80xf32>
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<64x96xf32>, tensor<96x80xf32>) -> tensor<64x80xf32>
  %1 = stablehlo.maximum %0, %zero : tensor<64x80xf32>
  %2 = stablehlo.concatenate %1, %1, dim = 1 : (tensor<64x80xf32>, tensor<64x80xf32>) -> tensor<64x160xf32>
  %3 = "stablehlo.sort"(%1) <{dimension = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %4 = stablehlo.compare LT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %4 : tensor<i1>
  }) : (tensor<64x80xf32>) -> tensor<64x80xf32>
  return %1, %2, %3 : tensor<64x80xf32>, tensor<64x160xf32>, tensor<64x80xf32>
}
"""  # noqa: E501  (as people write it)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    source = folder / "program.mlir"
    source.write_text(PROGRAM)
    ts.compile(source).save(folder / "program.tsl")
    return folder / "program.tsl"


def test_a_trace_has_every_workgroup(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace.json"
    assert run_command_line(["profile", str(artifact), "--calls", "4", "--threads", "2", "-o", str(trace)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"one thread of this machine: \d+ GFLOP/s \(f32\), [\d.]+ GB/s", printed)
    events = json.loads(trace.read_text())["traceEvents"]
    bars = [e for e in events if e["ph"] == "X"]
    assert all(e["dur"] >= 0 and e["ts"] >= 0 for e in bars)
    calls = [e for e in bars if e["name"] == "main"]
    assert [c["args"]["call"] for c in calls] == [0, 1, 2, 3]
    named = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {e["tid"] for e in bars} == set(named) and "calls" in named.values()
    manifest = ts.Artifact.open(artifact).manifest
    for entry in (e for x in manifest.executables for e in x.entries):
        assert entry.name in printed
        runs = [e for e in bars if e["name"] == entry.name]
        assert sum(e["args"]["workgroups"] for e in runs) % len(calls) == 0, "every call has the same workgroups"
        assert all(any(c["ts"] <= e["ts"] and e["ts"] + e["dur"] <= c["ts"] + c["dur"] for c in calls) for e in runs)
        assert {e["args"]["kernel"] for e in runs} == {entry.kernel}


def test_rates_of_kernels(artifact: Path) -> None:
    from tesselle.cli.kernel_times import bound_by, kernel_times, profile_calls

    program = ts.load(artifact, device="cpu:threads=1")
    x, w = np.ones((64, 96), np.float32), np.ones((96, 80), np.float32)
    kernels = kernel_times(program.manifest, profile_calls(program, lambda: program["main"](x, w), 5).records)
    assert [k.busy_ns for k in kernels] == sorted((k.busy_ns for k in kernels), reverse=True)
    assert all(k.launches == 5 for k in kernels)
    product = next(k for k in kernels if "contract" in k.entry.summary)
    assert product.entry.flops is not None and product.entry.flops >= 2 * 64 * 96 * 80
    assert product.flops_per_s == pytest.approx(product.entry.flops * 5e9 / product.busy_ns)
    slow, fast = runtime.MachineLimits(1e9, 1e15), runtime.MachineLimits(1e15, 1e9)
    assert (bound_by(product.entry, slow), bound_by(product.entry, fast)) == ("compute", "memory")


def test_machine_limits_grow_with_what_is_measured() -> None:
    limits = runtime.measure_machine_limits(threads=1, seconds=0.05)
    # Far below and above every processor there is: a factor of 1,000 in a unit shows.
    assert 1e8 < limits.flops_per_s < 1e13
    assert 1e8 < limits.bytes_per_s < 1e13


def test_every_kernel_is_explained(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["explain", str(artifact)]) == 0
    printed = capsys.readouterr().out
    strategies = {
        "contract": "contraction: panels made in local memory by each workgroup, as 64 rows on the left",
        "concat": "movement: rows copied in pieces",
        "sort": "sort: stable merges",
    }
    entries = [e for x in ts.Artifact.open(artifact).manifest.executables for e in x.entries]
    for entry in entries:
        assert entry.name in printed and entry.kernel in printed
        for word, text in strategies.items():
            if entry.summary.startswith(word):
                assert text in entry.kernel
    assert {w for w in strategies if any(e.summary.startswith(w) for e in entries)} == set(strategies)
    assert run_command_line(["explain", str(artifact), "--kernel", "sort"]) == 0
    assert "contraction:" not in capsys.readouterr().out


def test_reasons_follow_the_operands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row streams the right-hand side; a constant is packed when the program is compiled."""
    text = """func.func @main(%x: tensor<{rows}x512xf32>{parameter}) -> tensor<{rows}x2048xf32> {{
      {constant}%0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0]
        : (tensor<{rows}x512xf32>, tensor<512x2048xf32>) -> tensor<{rows}x2048xf32>
      return %0 : tensor<{rows}x2048xf32> }}"""
    elements = np.arange(512 * 2048, dtype=np.float32).tobytes().hex()
    constant = f'%w = stablehlo.constant dense<"0x{elements}"> : tensor<512x2048xf32>\n'
    parameter = ", %w: tensor<512x2048xf32>"
    cases = (
        (1, parameter, "", "rows on the left are too few"),
        (64, parameter, "", "use a panel again and again"),
        (64, "", constant, "the right-hand side is a constant"),
    )
    for rows, arguments, before, reason in cases:
        source = tmp_path / "program.mlir"
        source.write_text(text.format(rows=rows, parameter=arguments, constant=before))
        assert run_command_line(["explain", str(source)]) == 0
        assert reason in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["explain", "ARTIFACT", "--kernel", "nothing"], "no kernel with 'nothing' in its name among"),
        (["profile", "ARTIFACT", "--calls", "0"], "--calls: '0' is not a positive number"),
        (["profile", "ARTIFACT", "--function", "other"], "other"),
        (["profile", "ARTIFACT", "-o", "MISSING/trace.json", "--calls", "1"], "trace.json"),
    ],
)
def test_an_error_is_one_message(
    words: list[str], message: str, artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"ARTIFACT": str(artifact), "MISSING/trace.json": str(tmp_path / "missing" / "trace.json")}
    assert run_command_line([places.get(w, w) for w in words]) == 1
    error = capsys.readouterr().err
    assert len(re.findall(r"\berror[:\[]", error)) == 1 and message in error
