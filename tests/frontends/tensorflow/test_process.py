"""The process that runs TensorFlow: what is said when it fails, and that nothing is left behind."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest

from tesselle.frontends.tensorflow import process, worker
from tesselle.support.diagnostics import CompilerError, Unsupported


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a script in place of the worker."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())

    def start(script: str, timeout_s: float = 60.0) -> list[str]:
        file = tmp_path / "worker.py"
        file.write_text("import json, os, sys, time\ndef tell(**m): print(json.dumps(m), flush=True)\n" + script)
        monkeypatch.setattr(worker, "__file__", str(file))
        steps: list[str] = []
        process.run_tensorflow(tmp_path, steps.append, timeout_s)
        return steps

    return start


def test_steps_are_told(run) -> None:
    assert run("tell(step='one'); tell(step='two'); print('noise'); print('[1]'); tell(done=True)") == ["one", "two"]


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("tell(step='s'); tell(error='x: error: bad op\\nmore'); sys.exit(1)", Unsupported, r"\(s\): x: error: bad op"),
        ("tell(missing='no tf'); sys.exit(1)", Unsupported, r"tesselle\[tensorflow\]"),
        ("tell(step='s'); print('last words', file=sys.stderr); os.abort()", CompilerError, "signal 6 .*last words"),
        ("tell(step='s'); sys.exit(3)", CompilerError, r"status 3 while it converted the model \(s\)"),
        ("sys.exit(0)", CompilerError, r"status 0 while it converted the model \(start\)"),
        ("tell(done=True); sys.exit(1)", CompilerError, "status 1"),
    ],
)
def test_failures(run, script: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        run(script)


def test_it_is_stopped_in_time(run) -> None:
    started = time.monotonic()
    with pytest.raises(CompilerError, match=r"took more than 0\.5 s \(s\) and was stopped"):
        run("tell(step='s'); time.sleep(600)", 0.5)
    assert time.monotonic() - started < 60


def test_nothing_is_left_after_an_interrupt(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is told of the steps may raise: the process ends with it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    file = tmp_path / "waits.py"
    file.write_text(
        "import json, os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "print(json.dumps({'step': 's'}), flush=True)\ntime.sleep(600)\n"
    )
    monkeypatch.setattr(worker, "__file__", str(file))

    def interrupt(step: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.run_tensorflow(tmp_path, interrupt)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()


def test_without_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unsupported, match=r"install it with pip install 'tesselle\[tensorflow\]'"):
        process.run_tensorflow(tmp_path)
