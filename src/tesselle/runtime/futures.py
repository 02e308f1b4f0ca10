"""Results that are not there yet."""

from __future__ import annotations

import concurrent.futures
import os
import threading
from collections.abc import Callable
from typing import Any

from tesselle.runtime import _native
from tesselle.runtime.invocation import Status


class Future(concurrent.futures.Future[Any]):
    """The result of `Function.submit`: result(timeout), exception(timeout), done(), add_done_callback(f).

    A `concurrent.futures.Future`, so that `concurrent.futures.wait` and `asyncio.wrap_future` take it. A call that has
    begun cannot be cancelled; one that waits for a thread can.
    """


class CallQueue:
    """Threads that run submitted calls. A call that yields goes to the back of the queue: it holds no thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: concurrent.futures.ThreadPoolExecutor | None = None
        self._owner = 0

    def _threads(self) -> concurrent.futures.ThreadPoolExecutor:
        with self._lock:
            # After a fork the child has no threads: it makes its own.
            if self._executor is None or self._owner != os.getpid():
                workers = max(2, os.cpu_count() or 1)
                self._executor = concurrent.futures.ThreadPoolExecutor(workers, "tesselle-call")
                self._owner = os.getpid()
            return self._executor

    def submit(self, invocation: _native.Invocation, finish: Callable[[_native.Invocation], Any]) -> Future:
        """Run a call to its end; the future gets what `finish` makes of it."""
        future = Future()

        def start() -> None:
            if future.set_running_or_notify_cancel():
                step()

        def step() -> None:
            try:
                status = Status(invocation.resume(_STEPS))
                while status is Status.WAITING:
                    while not invocation.wait(_WAIT_S):
                        pass
                    status = Status(invocation.resume(_STEPS))
                if status is Status.DONE:
                    result = finish(invocation)
                else:
                    self._threads().submit(step)
                    return
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._threads().submit(start)
        return future


_STEPS = 1 << 16
_WAIT_S = 1.0

QUEUE = CallQueue()
"""The calls of all programs share the threads."""
