"""The soak can fail: wrong results, errors, calls that never come back and memory that grows are found."""

from __future__ import annotations

import threading

import pytest

import tesselle as ts
from benchmarks.soak import Load, Program, open_program, run_load, stateful_program, time_calls

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")


def nothing(_: float) -> None:
    """No progress bar."""


def test_right_programs_pass() -> None:
    programs = [open_program("cpu:threads=2"), stateful_program("cpu:threads=2")]
    load = run_load(programs, 3, 0.6, nothing)
    assert not load.wrong and not load.stuck
    assert load.calls == sum(len(p.seconds) for p in programs) > 10
    assert all(p.seconds for p in programs)


def test_a_wrong_result_ends_the_run() -> None:
    load = run_load([Program("sometimes", lambda i: i != 20)], 2, 30, nothing)
    assert load.wrong == ["sometimes: other bits than the first time"]


def test_an_error_is_a_fault() -> None:
    def fails(_: int) -> bool:
        raise ts.ExecutionError("the device is gone")

    load = run_load([Program("broken", fails)], 1, 30, nothing)
    assert load.wrong and "the device is gone" in load.wrong[0]


def test_a_call_that_never_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.soak.PATIENCE_S", 0.2)
    release = threading.Event()

    def waits(_: int) -> bool:
        return release.wait(30)

    load = run_load([Program("stuck", waits)], 2, 0.1, nothing)
    release.set()
    assert load.stuck == 2


def test_growth_is_what_stays_after_the_first_quarter() -> None:
    steady = [50, 80, 100, 100, 101, 99, 100, 102, 100, 101, 100, 101]
    assert Load(resident_bytes=steady).growth_bytes <= 2
    assert Load(resident_bytes=[100 + 10 * i for i in range(12)]).growth_bytes >= 60


def test_times_are_sorted_and_enough() -> None:
    times = time_calls(Program("quick", lambda _: True), 0.0)
    assert len(times) >= 10 and times == sorted(times)
