"""The suite of workloads: what it says of peers that agree, are wrong, fail, die, or are absent. No time is judged."""

from __future__ import annotations

import math
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tesselle
from benchmarks.workloads import chart, report
from benchmarks.workloads.__main__ import main
from benchmarks.workloads.base import Workload
from benchmarks.workloads.catalogue import WORKLOADS
from benchmarks.workloads.dispatches import Dispatch, costliest, dispatches_of
from benchmarks.workloads.peers import PEERS, error_of, find_peer
from benchmarks.workloads.results import Cell, Machine, Results, Row
from benchmarks.workloads.run import Plan, Watcher, measure, steps
from benchmarks.workloads.worker import Failed, Timed, Unload, Unloaded, Worker, WorkerSpec, latency_s
from tesselle.runtime import MachineLimits

BROKEN = "tests.benchmarks.broken_peers"
NUMPY, WRONG, DYING, ABSENT = (f"{BROKEN}:{name}Peer" for name in ("NumPy", "Wrong", "Dying", "Absent"))
NAMES = ("matmul_odd", "tiny_add8", "maxpool")


@pytest.fixture(scope="module")
def watched() -> tuple[Results, list[str]]:
    """Every peer on three workloads, one thread; and the steps that were announced."""
    plan = Plan(
        [WORKLOADS[name] for name in NAMES],
        ["tesselle", "jax", NUMPY, WRONG, DYING, ABSENT],
        threads=(1, 1000),
        rounds=2,
        seconds=0.001,
    )
    announced: list[str] = []
    results = measure(plan, Watcher(step=announced.append))
    assert len(announced) <= steps(plan)
    return results, announced


def test_dispatches_are_held_to_a_model() -> None:
    limits = MachineLimits(100e9, 10e9)
    products = Dispatch("matmul", "loops", 2, 4e-3, 200e6, 1e6)
    copies = Dispatch("pad", "rows", 1, 1e-3, 0, 20e6)
    unknown = Dispatch("gather", "loops", 1, 5e-4, None, None)
    assert (products.model_s(limits), products.bound(limits)) == (2e-3, "compute")
    assert (copies.model_s(limits), copies.bound(limits)) == (2e-3, "memory")
    assert (unknown.model_s(limits), unknown.bound(limits)) == (None, "–")
    assert costliest([products] * 5) == ()
    assert costliest([products] * 6) == (products,) * 6
    many = [products, copies, unknown, *[copies] * 10]
    assert costliest(many) == tuple(many[:10])
    row = Row(WORKLOADS["resnet50"], dispatches=costliest(many))
    found = Results(Machine("x", 1), datetime.now(), 1, 1.0, [1], {}, {}, {}, {1: limits}, [row])
    text = report.markdown(found, None)
    assert "| matmul | 2 | 4 ms | 200 | 1 | 2 ms | compute | 50% |" in text
    assert "| pad | 1 | 1 ms | 0 | 20 | 2 ms | memory | 200% |" in text
    assert "| gather | 1 | 500 µs | – | – | – | – | – |" in text


def test_what_a_program_consists_of() -> None:
    program = tesselle.load(
        tesselle.compile("""
    func.func @main(%x: tensor<64x64xf32>) -> tensor<64x64xf32> {
      %y = stablehlo.dot %x, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
      return %y : tensor<64x64xf32>
    }
    """)
    )
    x = np.ones((64, 64), np.float32)
    (found,) = dispatches_of(program, lambda: program["main"](x))
    assert (found.launches, found.flops) == (1, 2 * 64**3)
    assert found.bytes is not None and found.bytes >= 2 * 4 * 64**2
    assert found.seconds > 0


@pytest.fixture
def results(watched: tuple[Results, list[str]]) -> Results:
    return watched[0]


@pytest.fixture
def written(results: Results, tmp_path: Path) -> str:
    return report.write(results, tmp_path, chart.draw(results, tmp_path)).read_text()


def _cell(results: Results, workload: str, peer: str) -> Cell:
    return next(row for row in results.rows if row.workload.name == workload).cells[peer, 1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("peer", ["tesselle", "jax"])
def test_those_that_agree_have_times(results: Results, name: str, peer: str) -> None:
    cell = _cell(results, name, peer)
    assert cell.reason is None
    assert cell.seconds is not None and cell.load_s is not None
    assert cell.error is not None and cell.error <= WORKLOADS[name].tolerance


def test_every_row_is_written(results: Results, written: str) -> None:
    table = written.split("## 1 thread\n")[1].split("\n## ")[0]
    for row in results.rows:
        line = next(line for line in table.splitlines() if line.startswith(f"| {row.workload.name} |"))
        seconds = row.cells["tesselle", 1].seconds
        assert seconds is not None
        assert report.time_text(seconds) in line
        assert f"| {row.ratio(1):.2f} |" in line
    assert f"({results.machine.slug}.png)" in written


def test_a_wrong_result_is_reported_and_has_no_time(results: Results, written: str) -> None:
    cell = _cell(results, "matmul_odd", WRONG)
    assert cell.error == pytest.approx(0.01, rel=0.05)
    assert cell.seconds is None
    assert cell.reason is not None and cell.reason.startswith("wrong: error 1.0e-02")
    assert cell.reason in written
    row = results.rows[0]
    best = row.best_peer(1)
    assert best is not None and best[0] != WRONG


def test_what_a_peer_cannot_do_is_a_reason(results: Results, written: str) -> None:
    reason = _cell(results, "maxpool", NUMPY).reason
    assert reason == "NotImplementedError: no maxpool in NumPy"
    assert reason in written
    assert _cell(results, "tiny_add8", NUMPY).reason is None


def test_a_peer_that_dies_comes_back_for_the_next_workload(results: Results, written: str) -> None:
    assert _cell(results, "matmul_odd", DYING).reason == "the process died (exit code 7)"
    assert _cell(results, "tiny_add8", DYING).seconds is not None
    assert "the process died (exit code 7)" in written


def test_a_peer_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    worker = Worker(WorkerSpec(NUMPY, (max(os.sched_getaffinity(0)),), tmp_path), timeout_s=0)
    try:
        assert worker.ask(Unload()) == Failed("no answer within 0 s")
        worker.timeout_s = 60
        assert worker.ask(Unload()) == Unloaded()
    finally:
        worker.close()


def test_absent_peers_and_cores_are_named(results: Results, written: str) -> None:
    assert results.left_out["absent"] == "it needs what nobody has"
    assert "- absent: it needs what nobody has" in written
    assert results.threads == [1]
    assert "- 1000 threads: " in written


def test_tesselle_is_held_to_its_results(results: Results) -> None:
    assert results.tesselle_disagrees == []
    row = Row(WORKLOADS["tiny_add8"], {("tesselle", 1): Cell(reason="wrong: error 1"), ("jax", 1): Cell(seconds=1.0)})
    broken = Results(
        results.machine, results.started, 1, 1.0, [1], results.versions, results.labels, {}, results.limits, [row]
    )
    assert broken.tesselle_disagrees == ["tiny_add8"]
    assert row.ratio(1) is None


def test_the_command_writes_both_files(tmp_path: Path) -> None:
    arguments = "--only tiny_add8 --peers tesselle --threads 1 --rounds 1 --seconds 0.001 --output"
    done = CliRunner().invoke(main, [*arguments.split(), str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "tiny_add8" in done.output
    (file,) = tmp_path.glob("*.md")
    assert "| tiny_add8 |" in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "matmul511"], "no workload matmul511; there are tiny_add8, "),
        (["--peers", "numpy"], "no peer 'numpy'; there are tesselle, "),
        (["--peers", "math:pi"], "is no class derived from Peer"),
        (["--threads", "one"], "is no list of numbers"),
        (["--threads", "0"], "there is at least one thread"),
    ],
)
def test_names_that_are_not_there(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(main, arguments, terminal_width=400)
    assert done.exit_code == 2
    assert message in done.output


def test_the_peers_of_the_table() -> None:
    assert list(PEERS) == ["tesselle", "jax", "iree", "torch", "inductor", "onnxruntime", "openvino"]
    with pytest.raises(ValueError, match="nothing_here"):
        find_peer("nothing_here:Peer")


def test_peers_that_are_not_installed_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in ("torch", "onnx") else object())
    assert PEERS["torch"].missing() == "not installed: torch"
    assert PEERS["openvino"].missing() == "not installed: torch, onnx"
    assert PEERS["jax"].missing() is None
    monkeypatch.setattr("importlib.metadata.distributions", list)
    assert PEERS["iree"].missing() == "not installed: iree-base-compiler, iree-base-runtime"


def test_error_is_relative_to_the_largest_magnitude() -> None:
    expected = [np.array([1.0, -4.0], np.float32), np.zeros(2, np.float32)]
    assert error_of(expected, expected) == 0
    assert error_of([np.array([2.0, -4.0], np.float32), expected[1]], expected) == 0.25
    assert error_of([expected[0], np.array([0, 0.5], np.float32)], expected) == 0.5
    assert error_of(expected[:1], expected) == math.inf
    assert error_of([expected[0], np.zeros(3, np.float32)], expected) == math.inf
    assert error_of([np.array([np.nan, -4.0], np.float32), expected[1]], expected) == math.inf


def test_the_number_of_the_table() -> None:
    rounds = [Timed((5.0, 9.0, 7.0), (1.0, 2.0, 3.0)), Timed((1.0, 1.0, 1.0), (4.0, 5.0, 6.0))]
    assert latency_s(rounds, threads=1) == 3.5
    assert latency_s(rounds, threads=2) == 4.0
    assert latency_s([Timed((3.0, 1.0), ()), Timed((2.0,), ())], threads=1) == 2.0


def test_shares_of_the_limit() -> None:
    limits = MachineLimits(flops_per_s=100.0, bytes_per_s=10.0)

    def share(workload: Workload) -> float | None:
        return Row(workload, {("tesselle", 1): Cell(seconds=2.0)}).share_of_limit(1, limits)

    product, stream = WORKLOADS["matmul512"], WORKLOADS["softmax"]
    assert share(product) == pytest.approx(2 * 512**3 / 2 / 100)
    assert share(stream) == pytest.approx(2 * 4 * 4096**2 / 2 / 10)
    assert share(WORKLOADS["tiny_add8"]) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.234e-6, "1.23 µs"), (9.996e-4, "1 ms"), (0.0123, "12.3 ms"), (1.5, "1.5 s")]
)
def test_times_in_words(seconds: float, text: str) -> None:
    assert report.time_text(seconds) == text


def test_machines_have_names_for_files() -> None:
    assert Machine("Intel(R) Xeon(R) CPU @ 2.10GHz", 4).slug == "intel-xeon-cpu-2-10ghz-4-cores"
    assert Machine("", 1).slug == "unknown-1-core"
