"""Evaluation in processes of its own: a program may take its process down, or never end."""

from __future__ import annotations

import multiprocessing as mp
from multiprocessing.connection import Connection
from pathlib import Path

import tesselle as ts

from .evaluate import Verdict, evaluate, program_of
from .generate import Program

TIMEOUT_S = 120.0


def _serve(pipe: Connection, cache_dir: Path | None) -> None:
    options = ts.CompileOptions(jobs=1, cache_dir=cache_dir)
    while True:
        try:
            request = pipe.recv()
        except EOFError:  # nobody asks any more
            return
        try:
            program = program_of(request) if isinstance(request, int) else request
        except Exception as error:
            pipe.send(Verdict("invalid", f"the generator: {type(error).__name__}: {error}"))
            continue
        try:
            pipe.send(evaluate(program, options))
        except Exception as error:
            pipe.send(Verdict("compiler fault", f"{type(error).__name__}: {error}"))


class Worker:
    """A process that evaluates one program at a time; another takes its place when it dies."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache_dir = cache_dir
        self._start()

    def _start(self) -> None:
        context = mp.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._cache_dir), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, request: int | Program) -> None:
        """Begin with a program, given by its number or itself."""
        try:
            self.pipe.send(request)
        except OSError:
            self._restart()
            self.pipe.send(request)

    def answer(self, timeout_s: float = TIMEOUT_S) -> Verdict:
        """Wait for the verdict on what was asked."""
        if not self.pipe.poll(timeout_s):
            self._restart()
            return Verdict("crash", f"no answer within {timeout_s:g} s")
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self._restart()
            return Verdict("crash", f"the process ended with code {code}")

    def evaluate(self, request: int | Program) -> Verdict:
        self.ask(request)
        return self.answer()

    def _restart(self) -> None:
        self.close()
        self._start()

    def close(self) -> None:
        self.pipe.close()
        self._process.kill()
        self._process.join()
