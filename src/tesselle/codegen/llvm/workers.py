"""LLVM IR text -> object files, in worker processes, with a cache on disk.

LLVM's assertions abort the process it runs in, and LLVM holds no lock that Python would wait for: a pool of child
processes (`worker.py`) gives safety and parallelism at once. Each worker is driven by one thread of the parent, one job
at a time, so a worker that dies takes exactly one job with it.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal

from tesselle.codegen.llvm import worker
from tesselle.codegen.llvm.object_cache import ObjectCache
from tesselle.codegen.llvm.target import CpuTarget
from tesselle.support.diagnostics import CompilerError, TesselleError

Output = Literal["object", "assembly", "ir"]
Progress = Callable[[int, int], None]
"""Called with (jobs done, jobs in all) after every job, from the thread that asked for the jobs."""


@dataclass(frozen=True)
class CompileJob:
    """One module of LLVM IR text to compile. `name` is for messages only: the kernel, or the executable.

    `opt_level`: of LLVM's pipeline and code generator; below 2 loops are neither vectorised nor unrolled. `shared`: the
    module is part of every program of its target, so that the pool keeps its output for as long as it lives.
    """

    ir: str
    target: CpuTarget
    name: str = "kernel"
    opt_level: int = 3
    output: Output = "object"
    shared: bool = False

    def header(self) -> dict[str, Any]:
        """What the worker needs to know besides the text. `tune_cpu` is an attribute of the functions in the text."""
        return {
            "triple": self.target.triple,
            "cpu": self.target.cpu,
            "features": self.target.features,
            "opt_level": self.opt_level,
            "output": self.output,
        }

    def key(self) -> str:
        """Hash of the text, every option, the whole target, and the versions of LLVM and of the worker program."""
        digest = hashlib.sha256()
        described = {**self.header(), "target": asdict(self.target), "toolchain": _toolchain_identity()}
        digest.update(json.dumps(described, sort_keys=True).encode())
        digest.update(b"\0")
        digest.update(self.ir.encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class WorkerOptions:
    """How jobs are run. `cache`: None to compile everything anew. `failure_directory`: where the input of a failed job
    is kept (None: the system's directory of temporary files). `timeout_s`: after that the worker is stopped and the job
    has failed.
    """

    worker_count: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    cache: ObjectCache | None = None
    timeout_s: float = 300.0
    failure_directory: Path | None = None


@cache
def _llvmlite_parent() -> str:
    """The directory that holds the llvmlite package, found without importing it."""
    spec = importlib.util.find_spec("llvmlite")
    if spec is None or spec.origin is None:
        raise CompilerError("compiling for a CPU needs llvmlite, which is not installed (pip install llvmlite)")
    return str(Path(spec.origin).parent.parent)


@cache
def _toolchain_identity() -> str:
    """Changes when LLVM, llvmlite or the worker program change. The library's size and time stand for LLVM's build."""
    library = Path(_llvmlite_parent()) / "llvmlite" / "binding"
    stats = [p.stat() for p in sorted(library.glob("libllvmlite.*"))]
    parts = [importlib.metadata.version("llvmlite"), *(f"{s.st_size}:{s.st_mtime_ns}" for s in stats)]
    return " ".join(parts) + " " + hashlib.sha256(Path(worker.__file__).read_bytes()).hexdigest()


class _WorkerDied(Exception):
    """The process ended before it replied; `started` is false when it never took the request."""

    def __init__(self, started: bool) -> None:
        super().__init__()
        self.started = started


class _Worker:
    """One child process. Its standard error goes to a file, so that an assertion's text can be quoted."""

    def __init__(self) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(
                # -I and -S: a worker must not depend on the user's environment, and starts twice as fast without site
                # packages.
                [sys.executable, "-I", "-S", worker.__file__, _llvmlite_parent()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
            )
        except OSError:
            self._stderr.close()
            raise
        self.timed_out = False

    def run(self, header: dict[str, Any], body: bytes, timeout_s: float) -> tuple[dict[str, Any], bytes]:
        assert self._process.stdin is not None and self._process.stdout is not None
        timer = threading.Timer(timeout_s, self._time_out)
        timer.daemon = True
        timer.start()
        try:
            try:
                worker.write_frame(self._process.stdin, header, body)  # type: ignore[arg-type] # IO[bytes] is a BinaryIO
            except OSError:
                raise _WorkerDied(started=self.timed_out) from None
            reply = worker.read_frame(self._process.stdout)  # type: ignore[arg-type] # IO[bytes] is a BinaryIO
        finally:
            timer.cancel()
        if reply is None:
            raise _WorkerDied(started=True)
        return reply

    def _time_out(self) -> None:
        self.timed_out = True
        self._process.kill()

    def describe_death(self) -> str:
        """How the process ended, and the end of what it printed."""
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - 2000))
        printed = self._stderr.read().decode(errors="replace").strip()
        return f"{how}: {printed}" if printed else how

    def close(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # the process may be gone already
                self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.kill()
        self._process.wait()
        self._stderr.close()


@dataclass
class _Ticket:
    index: int
    job: CompileJob
    options: WorkerOptions
    done: queue.SimpleQueue[tuple[int, bytes | TesselleError]]


class CompilerPool:
    """Worker processes that live until `close()`; started when there are jobs. Safe to use from many threads."""

    def __init__(self) -> None:
        self._tickets: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._shared: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._closed = False

    def compile(
        self, jobs: Sequence[CompileJob], options: WorkerOptions | None = None, progress: Progress | None = None
    ) -> list[bytes]:
        """The outputs of `jobs`, in their order. All jobs run even when some fail.

        Errors: one TesselleError with a diagnostic for each failed job, naming the job, LLVM's message, and a command
        that reproduces it.
        """
        options = options or WorkerOptions()
        done: queue.SimpleQueue[tuple[int, bytes | TesselleError]] = queue.SimpleQueue()
        results: list[bytes | None] = [None] * len(jobs)
        keys: dict[int, str] = {}
        owners: dict[str, int] = {}
        twins: list[tuple[int, int]] = []
        finished = 0
        for index, job in enumerate(jobs):
            key = job.key()
            if key in owners:
                twins.append((index, owners[key]))
                continue
            owners[key] = index
            found = self._shared.get(key)
            if found is None and options.cache is not None:
                found = options.cache.load(key)
            if found is not None:
                self._keep(job, key, found)
                results[index] = found
                finished += 1
                if progress:
                    progress(finished, len(jobs))
            else:
                keys[index] = key
        if keys:
            self._start(min(options.worker_count, len(keys)))
            for index in keys:
                self._tickets.put(_Ticket(index, jobs[index], options, done))
        errors: list[tuple[int, TesselleError]] = []
        for _ in keys:
            index, outcome = done.get()
            if isinstance(outcome, TesselleError):
                errors.append((index, outcome))
            else:
                results[index] = outcome
                self._keep(jobs[index], keys[index], outcome)
                if options.cache is not None:
                    options.cache.store(keys[index], outcome)
            finished += 1
            if progress:
                progress(finished, len(jobs))
        if keys and options.cache is not None:
            options.cache.prune()
        if errors:
            errors.sort(key=lambda e: e[0])
            raise CompilerError.several([d for _, error in errors for d in error.diagnostics])
        for index, owner in twins:
            results[index] = results[owner]
            finished += 1
            if progress:
                progress(finished, len(jobs))
        return [r for r in results if r is not None]

    def _keep(self, job: CompileJob, key: str, output: bytes) -> None:
        if job.shared:
            self._shared[key] = output

    def close(self) -> None:
        """Stop the workers; waits for running jobs."""
        with self._lock:
            self._closed = True
            threads, self._threads = self._threads, []
        for _ in threads:
            self._tickets.put(None)
        for thread in threads:
            thread.join()

    def _start(self, count: int) -> None:
        with self._lock:
            if self._closed:
                raise CompilerError("the compiler pool is closed")
            while len(self._threads) < count:
                thread = threading.Thread(target=self._serve, name="tesselle-llvm", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self) -> None:
        runner = _Runner()
        try:
            while (ticket := self._tickets.get()) is not None:
                try:
                    ticket.done.put((ticket.index, runner.run(ticket.job, ticket.options)))
                except TesselleError as error:
                    ticket.done.put((ticket.index, error))
                except Exception as error:
                    # No process could be started, say. Whoever waits for this ticket must not wait for ever, and the
                    # thread must be there for the next one.
                    runner.close()
                    failure = CompilerError(f"compiling {ticket.job.name!r} failed: {error!r}")
                    ticket.done.put((ticket.index, failure))
        finally:
            runner.close()


class _Runner:
    """Runs jobs on one worker at a time, which it replaces when it dies."""

    def __init__(self) -> None:
        self._worker: _Worker | None = None

    def run(self, job: CompileJob, options: WorkerOptions) -> bytes:
        """The job's output. A job is tried again only when the worker had died before it took the job."""
        body = job.ir.encode()
        try:
            reply, output = self._process().run(job.header(), body, options.timeout_s)
        except _WorkerDied as death:
            if not death.started:
                self.close()
                try:
                    reply, output = self._process().run(job.header(), body, options.timeout_s)
                except _WorkerDied:
                    raise self._died(job, options) from None
            else:
                raise self._died(job, options) from None
        if not reply["ok"]:
            raise _failure(job, options, f"LLVM rejects the module: {reply['error'].strip()}")
        return output

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _process(self) -> _Worker:
        if self._worker is None:
            self._worker = _Worker()
        return self._worker

    def _died(self, job: CompileJob, options: WorkerOptions) -> CompilerError:
        dead = self._process()
        reason = f"took longer than {options.timeout_s:g} s" if dead.timed_out else dead.describe_death()
        self.close()
        return _failure(job, options, f"LLVM {reason}")


def _failure(job: CompileJob, options: WorkerOptions, reason: str) -> CompilerError:
    error = CompilerError(f"compiling {job.name!r} for {job.target.name} failed: {reason}", rule="codegen.llvm")
    try:
        descriptor, path = tempfile.mkstemp(dir=options.failure_directory, prefix="tesselle-", suffix=".request")
        with os.fdopen(descriptor, "wb") as file:
            worker.write_frame(file, job.header(), job.ir.encode())  # type: ignore[arg-type] # IO[bytes] is a BinaryIO
    except OSError as cause:
        error.add_note_at(f"the input could not be kept: {cause}")
    else:
        command = f"{sys.executable} {worker.__file__} {_llvmlite_parent()} {path} > output"
        error.add_note_at(f"reproduce: {command}")
    return error


class _SharedPool:
    """The process-wide pool behind `compile_objects`: worker processes are worth keeping between compilations."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: CompilerPool | None = None
        self._owner_pid = 0

    def get(self) -> CompilerPool:
        with self._lock:
            # After a fork the pipes belong to the parent.
            if self._pool is None or self._owner_pid != os.getpid():
                self._pool = CompilerPool()
                self._owner_pid = os.getpid()
                atexit.register(self._pool.close)
            return self._pool


_SHARED = _SharedPool()


def compile_objects(
    jobs: Sequence[CompileJob], options: WorkerOptions | None = None, progress: Progress | None = None
) -> list[bytes]:
    """`CompilerPool.compile` on a pool that all compilations of this process share."""
    return _SHARED.get().compile(jobs, options, progress)
