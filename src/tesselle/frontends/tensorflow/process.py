"""Runs TensorFlow in a process of its own: it is large, it prints, and it may abort the process that it runs in."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from tesselle.frontends.tensorflow import worker
from tesselle.support.diagnostics import CompilerError, Note, Unsupported

TIMEOUT_S = 1800.0
"""After that, TensorFlow is stopped."""

_KEPT_LINES = 12

OnStep = Callable[[str], None]
"""Called with the name of each step, as it begins."""


def run_tensorflow(folder: Path, on_step: OnStep | None = None, timeout_s: float = TIMEOUT_S) -> None:
    """Convert the model in `folder`. Errors: Unsupported (no TensorFlow; what it says), CompilerError (it aborts)."""
    if importlib.util.find_spec("tensorflow") is None:
        raise _missing("no module named 'tensorflow'")
    # The folder of the script must not hide modules from TensorFlow.
    command = [sys.executable, "-P", worker.__file__, str(folder)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        with process:
            try:
                assert process.stdout is not None
                last, step = _follow(process.stdout, on_step)
                status = process.wait()
            finally:
                expired = timer.finished.is_set()
                timer.cancel()
                # After an interrupt, or an error of `on_step`.
                process.kill()
        if status == 0 and last.get("done") is True:
            return
        printed = _last_lines(log)
    if isinstance(last.get("missing"), str):
        raise _missing(cast(str, last["missing"]))
    if isinstance(last.get("error"), str):
        raise Unsupported(f"TensorFlow cannot convert the model ({step}): {_first_lines(cast(str, last['error']))}")
    if expired:
        raise CompilerError(f"TensorFlow took more than {timeout_s:g} s ({step}) and was stopped", notes=printed)
    how = f"signal {-status}" if status < 0 else f"status {status}"
    raise CompilerError(f"TensorFlow ended with {how} while it converted the model ({step})", notes=printed)


def _follow(messages: IO[bytes], on_step: OnStep | None) -> tuple[dict[str, Any], str]:
    """The last message, and the step that the process was at."""
    last: dict[str, Any] = {}
    step = "start"
    for line in messages:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        last = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        if isinstance(last.get("step"), str):
            step = cast(str, last["step"])
            if on_step is not None:
                on_step(step)
    return last, step


def _missing(why: str) -> Unsupported:
    return Unsupported(
        f"a SavedModel is read with TensorFlow, which cannot be imported ({why}): install it with"
        " pip install 'tesselle[tensorflow]'"
    )


def _first_lines(text: str) -> str:
    """What TensorFlow says, without the program that it repeats behind it."""
    lines = [line for line in text.splitlines() if line.strip()]
    kept = [line.removeprefix("<unknown>:0: ") for line in lines if "error:" in line] or lines[:1]
    return "; ".join(line[:400] for line in kept[:4])


def _last_lines(log: IO[bytes]) -> tuple[Note, ...]:
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()
    return tuple(Note(f"it printed: {line[:400]}") for line in lines[-_KEPT_LINES:] if line.strip())
