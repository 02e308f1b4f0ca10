"""The processes that evaluate cases. One that dies or hangs costs its case and is replaced; the run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .cases import Case
from .evaluation import Form, Outcome, Result, Seconds

ROOT = Path(__file__).parents[2]
WORKER = ("-m", "tests.conformance.worker")
"""The program of a process, as arguments of Python."""
START_TIMEOUT_S = 120.0
"""For the imports of JAX and Tesselle on a loaded machine."""


@dataclass(frozen=True)
class ShardOptions:
    jobs: int = 2
    timeout_s: float = 60.0
    """For one case."""
    form: Form = Form.ARGUMENTS
    x64: bool = False
    """JAX's 64-bit mode, which has more cases."""


def evaluate_all(cases: Sequence[Case], options: ShardOptions) -> Iterator[Result]:
    """The results of all cases, in the order in which they are done."""
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in cases:
        waiting.put(case)
    done: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
    shards = [_Shard(waiting, done, options) for _ in range(min(options.jobs, len(cases)))]
    threads = [threading.Thread(target=s.run, daemon=True) for s in shards]
    for thread in threads:
        thread.start()
    try:
        for _ in cases:
            result = done.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        for shard in shards:
            shard.stop()
        for thread in threads:
            thread.join(timeout=10)


class _NoReply(Exception):
    """The process ended before it replied (`timed_out` is false), or did not reply in time."""

    def __init__(self, timed_out: bool) -> None:
        super().__init__()
        self.timed_out = timed_out


@dataclass
class _Shard:
    """Takes cases from `waiting` until there are none, in one process after another."""

    waiting: queue.SimpleQueue[Case]
    done: queue.SimpleQueue[Result | BaseException]
    options: ShardOptions
    process: _Process | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        try:
            while not self.stopped.is_set():
                case = self.waiting.get_nowait()
                self.done.put(self._evaluate(case))
        except queue.Empty:
            pass
        except BaseException as error:  # the reader of `done` must not wait forever
            self.done.put(error)
        finally:
            self._end_process()

    def stop(self) -> None:
        """Let the thread end soon, whatever its process does."""
        self.stopped.set()
        process = self.process
        if process is not None:
            process.kill()

    def _evaluate(self, case: Case) -> Result:
        if self.process is None:
            self.process = _Process(self.options)
        process = self.process
        try:
            return process.evaluate(case, self.options.timeout_s)
        except _NoReply as silence:
            said = process.end()
            self.process = None
            if silence.timed_out:
                return Result(case, Outcome.TIMEOUT, f"no result after {self.options.timeout_s:g} s")
            return Result(case, Outcome.CRASH, f"the process died with {process.exit_status()}: {said}")

    def _end_process(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.end()


class _Process:
    """One `worker`. It leads a process group, so that LLVM's workers end with it."""

    def __init__(self, options: ShardOptions) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, *WORKER, options.form.value],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=ROOT,
            env={**os.environ, "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": str(int(options.x64))},
            start_new_session=True,
        )
        self._buffer = b""
        try:
            self._line(START_TIMEOUT_S)
        except _NoReply:
            raise RuntimeError(f"a worker does not start: {self.end()}") from None

    def evaluate(self, case: Case, timeout_s: float) -> Result:
        """Errors: _NoReply."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(case.name.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise _NoReply(timed_out=False) from None
        reply = json.loads(self._line(timeout_s))
        return Result(case, Outcome(reply["outcome"]), reply["reason"], Seconds(**reply["seconds"]))

    def _line(self, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(timeout_s):
                    raise _NoReply(timed_out=True)
                part = os.read(descriptor, 1 << 16)
                if not part:
                    raise _NoReply(timed_out=False)
                self._buffer += part
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def end(self) -> str:
        """Stop the process and all that it started; the last line it wrote to standard error."""
        # The end of the pipe is seen before the end of the process, whose status a signal must not replace.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.2)
        self.kill()
        with self._process, self._said as said:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def exit_status(self) -> str:
        code = self._process.returncode
        return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
