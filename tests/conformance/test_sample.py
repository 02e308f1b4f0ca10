"""A fixed sample of the cases, spread over all groups; and the parts of the runner that a good run never uses."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from tests.conformance import report, shards
from tests.conformance.cases import Case, all_cases, harnesses, select
from tests.conformance.comparison import difference
from tests.conformance.evaluation import Outcome, Result, evaluate
from tests.conformance.expected_failures import Expected, surprise

SAMPLE = 320
"""Cases: at least two of every group that has two."""

ADD = Case("add_x", "add")


@pytest.mark.parametrize("case", select(all_cases(), (), None, SAMPLE), ids=lambda c: c.name[:80])
def test_agrees_with_xla(case: Case) -> None:
    result = evaluate(case)
    if result.outcome is Outcome.SKIPPED:
        pytest.skip(f"JAX cannot run it: {result.reason}")
    assert (line := surprise(result)) is None, line


def test_the_sample_covers_every_group() -> None:
    assert {c.group for c in select(all_cases(), (), None, SAMPLE)} == {h.group_name for h in harnesses().values()}
    assert select(all_cases(), (), None, 7) == select(all_cases(), (), None, SAMPLE)[:7]


def test_selection() -> None:
    assert {c.group for c in select(all_cases(), ("add", "sub"), None, None)} == {"add", "sub"}
    assert all("bfloat16" in c.name for c in select(all_cases(), (), "bfloat16", None))
    with pytest.raises(ValueError, match="there is no group nowhere"):
        select(all_cases(), ("nowhere",), None, None)


@pytest.mark.parametrize(
    ("found", "expected", "line"),
    [
        (np.int32([1, 2]), np.int32([1, 2]), None),
        (np.int32([1, 3]), np.int32([1, 2]), "result 0: int32[2]: 1 of 2 differ, worst at [1]: 3 instead of 2"),
        (np.float32([np.nan, np.inf]), np.float32([np.nan, np.inf]), None),
        (
            np.float32([1.0]),
            np.float32([np.nan]),
            "result 0: float32[1]: 1 of 1 differ, worst at [0]: 1.0 instead of nan",
        ),
        (
            np.float32([1.00001]),
            np.float32([1]),
            "result 0: float32[1]: 1 of 1 differ, worst at [0]: 1.00001 instead of 1.0",
        ),
        (np.float32([1 + 1e-6]), np.float32([1]), None),
        (np.float32([1]), np.float64([1]), "result 0: float32[1] instead of float64[1]"),
        (np.float32([[1]]), np.float32([1]), "result 0: float32[1, 1] instead of float32[1]"),
        (np.complex64([complex(0, np.nan)]), np.complex64([complex(0, np.nan)]), None),
    ],
)
def test_comparison(found: np.ndarray, expected: np.ndarray, line: str | None) -> None:
    assert difference([found], [expected], "add") == line


def test_a_missing_result_is_a_difference() -> None:
    assert difference([], [np.float32(1)], "add") == "0 results instead of 1"


def test_surprises() -> None:
    entries = (Expected("add_.*", Outcome.UNSUPPORTED, "reasons"),)
    assert surprise(Result(ADD, Outcome.UNSUPPORTED, "none"), entries) is None
    assert "take it out" in (surprise(Result(ADD, Outcome.AGREE), entries) or "")
    assert surprise(Result(ADD, Outcome.CRASH, "x"), entries) == "crash instead of unsupported: x"
    assert surprise(Result(ADD, Outcome.CRASH, "x"), ()) == "crash: x"
    assert surprise(Result(ADD, Outcome.SKIPPED), entries) is None


def test_report_says_everything(tmp_path: Path) -> None:
    results = [Result(ADD, Outcome.DIFFER, "by far"), Result(Case("sub_x", "sub"), Outcome.AGREE)]
    text = report.write(results, 1.0, tmp_path).read_text()
    assert "50.00%" in text
    assert "`add_x`: differ: by far" in text
    assert (tmp_path / "results.json").exists()


@pytest.fixture
def obedient_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that do what the name of the case says."""
    program = tmp_path / "worker.py"
    program.write_text(
        "import os, sys, time\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    if line == 'die\\n': print('so be it', file=sys.stderr, flush=True); os.abort()\n"
        "    if line == 'hang\\n': time.sleep(600)\n"
        '    print(\'{"outcome": "agree", "reason": "", "seconds": {}}\', flush=True)\n'
    )
    monkeypatch.setattr(shards, "WORKER", (str(program),))


@pytest.mark.usefixtures("obedient_worker")
def test_a_lost_process_costs_its_case_only() -> None:
    cases = [Case(name, "group") for name in ("a", "die", "b", "hang", "c")]
    results = {r.case.name: r for r in shards.evaluate_all(cases, shards.ShardOptions(jobs=1, timeout_s=1.0))}
    assert {name: r.outcome for name, r in results.items()} == {
        "a": Outcome.AGREE,
        "die": Outcome.CRASH,
        "b": Outcome.AGREE,
        "hang": Outcome.TIMEOUT,
        "c": Outcome.AGREE,
    }
    assert results["die"].reason == f"the process died with {signal.SIGABRT.name}: so be it"
