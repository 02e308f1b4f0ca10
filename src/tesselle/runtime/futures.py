"""Results that are not there yet."""

from __future__ import annotations

import atexit
import concurrent.futures
import functools
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from tesselle.runtime import _native
from tesselle.runtime.invocation import Status
from tesselle.support.diagnostics import InvocationError

_STEPS = 1 << 16
_WAIT_S = 1.0
_THREADS = max(2, os.cpu_count() or 1)


class Future(concurrent.futures.Future[Any]):
    """The result of `Function.submit`: result(timeout), exception(timeout), done(), add_done_callback(f).

    A `concurrent.futures.Future`, so that `concurrent.futures.wait` and `asyncio.wrap_future` take it. A call that has
    begun cannot be cancelled; one that waits for a thread or for its turn can. A call goes on when nobody holds its
    future.
    """


class _Submitted:
    """A call that threads of a queue run, from turn to turn."""

    __slots__ = ("_finish", "_future", "_invocation", "_queue")

    def __init__(
        self,
        invocation: _native.Invocation,
        finish: Callable[[_native.Invocation], Any],
        future: Future,
        tasks: queue.SimpleQueue[_Submitted | None],
    ) -> None:
        self._invocation = invocation
        self._finish = finish
        self._future = future
        self._queue = tasks

    def run(self) -> None:
        """Run until the call ends or yields."""
        future, invocation = self._future, self._invocation
        if not future.running() and not future.set_running_or_notify_cancel():
            invocation.abandon()
            return
        try:
            status = Status(invocation.resume(_STEPS))
            while status is Status.WAITING:
                while not invocation.wait(_WAIT_S):
                    pass
                status = Status(invocation.resume(_STEPS))
            if status is not Status.DONE:
                self._queue.put(self)
                return
            result = self._finish(invocation)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)


class CallQueue:
    """Threads that run submitted calls. A call that yields goes to the back of the queue, and one whose turn has not
    come is not in it: neither holds a thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        # A turn may come while the garbage collector drops a call, inside anything at all. A SimpleQueue may be put to
        # even then, which nothing with a lock written in Python may.
        self._tasks: queue.SimpleQueue[_Submitted | None] = queue.SimpleQueue()
        self._owner = 0
        """The process that the threads are of."""
        self._ended = False

    def _add_thread(self) -> None:
        """One thread more, up to one for each core. After a fork the child has none, and begins anew."""
        with self._lock:
            if self._ended:
                raise InvocationError("the process is ending: a call can be made, but not submitted")
            if self._owner != os.getpid():
                if self._owner == 0:
                    atexit.register(self._finish)
                self._tasks, self._threads, self._owner = queue.SimpleQueue(), [], os.getpid()
            if len(self._threads) < _THREADS:
                name = f"tesselle-call_{len(self._threads)}"
                # Daemons: others would have to end before _finish is called, which tells them to.
                thread = threading.Thread(target=_serve, args=(self._tasks,), name=name, daemon=True)
                thread.start()
                self._threads.append(thread)

    def _finish(self) -> None:
        """Let the process end when what was submitted is done, but for calls that wait for a turn that never comes."""
        if self._owner != os.getpid():
            return
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        while not self._tasks.empty():
            task = self._tasks.get()
            if task is not None:
                task.run()
        self._threads, self._ended = [], True

    def submit(self, invocation: _native.Invocation, finish: Callable[[_native.Invocation], Any]) -> Future:
        """Run a call to its end; the future gets what `finish` makes of it."""
        if len(self._threads) < _THREADS or self._owner != os.getpid():
            self._add_thread()
        future = Future()
        invocation.on_turn(functools.partial(self._tasks.put, _Submitted(invocation, finish, future, self._tasks)))
        return future


def _serve(tasks: queue.SimpleQueue[_Submitted | None]) -> None:
    while (task := tasks.get()) is not None:
        task.run()
        del task  # a thread that waits must not keep the last call's arguments


QUEUE = CallQueue()
"""The calls of all programs share the threads."""
