"""What a program and its host hand each other while it runs: infeed, outfeed, and the channels of send and recv."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from tesselle.support.custom_calls import Array, CustomCall, HostFunction
from tesselle.support.diagnostics import ExecutionError

INFEED, OUTFEED, SEND, RECEIVE = "tesselle.infeed", "tesselle.outfeed", "tesselle.send", "tesselle.recv"
"""Targets of the custom calls that transfers are compiled to."""

CHANNEL, CONFIGURATION = "channel", "config"
"""Entries of such a call's configuration."""

Tensors = tuple[Array, ...]


class HostTransfers:
    """The queues between one loaded program and its host; every method may be called from any thread.

        program.transfers.feed(x, y)          # what the next `infeed` reads
        program.transfers.drain()             # what the next `outfeed` wrote
        program.transfers.send(3, x)          # what the next `recv` on channel 3 reads
        program.transfers.receive(3)          # what the next `send` on channel 3 wrote

    What the program sends on a channel it may also receive itself, on the same channel: with one replica, it is the
    device at the other end. `timeout_s`: how long the program, and `drain` and `receive`, wait for data.
    """

    def __init__(self, timeout_s: float = 10.0) -> None:
        self.timeout_s = timeout_s
        self._lock = threading.Lock()
        self._queues: dict[tuple[str, int], queue.SimpleQueue[Tensors]] = defaultdict(queue.SimpleQueue)

    def _queue(self, kind: str, channel: int = 0) -> queue.SimpleQueue[Tensors]:
        with self._lock:
            return self._queues[kind, channel]

    def feed(self, *tensors: Array) -> None:
        """Append to the infeed: one `infeed` of the program reads `tensors`."""
        self._queue(INFEED).put(tuple(np.asarray(t) for t in tensors))

    def drain(self) -> Tensors:
        """What one `outfeed` wrote, the oldest first. ExecutionError when nothing comes within `timeout_s`."""
        return self._take(self._queue(OUTFEED), "the outfeed is empty")

    def send(self, channel: int, *tensors: Array) -> None:
        """Send to the program: one `recv` on `channel` reads `tensors`."""
        self._queue(SEND, channel).put(tuple(np.asarray(t) for t in tensors))

    def receive(self, channel: int) -> Tensors:
        """What one `send` on `channel` wrote. ExecutionError when nothing comes within `timeout_s`."""
        return self._take(self._queue(SEND, channel), f"nothing was sent on channel {channel}")

    def _take(self, source: queue.SimpleQueue[Tensors], otherwise: str) -> Tensors:
        try:
            return source.get(timeout=self.timeout_s)
        except queue.Empty:
            raise ExecutionError(f"{otherwise}, even after {self.timeout_s:g} s") from None

    # ------------------------------------------------------------------------------------------ the program's side

    def functions(self) -> Mapping[str, HostFunction]:
        """The host functions of the program's transfers, by target."""
        return {INFEED: self._infeed, OUTFEED: self._outfeed, SEND: self._send, RECEIVE: self._recv}

    def _infeed(self, call: CustomCall) -> Tensors:
        return self._take(self._queue(INFEED), "the infeed is empty: Program.transfers.feed(…) fills it")

    def _outfeed(self, call: CustomCall, *tensors: Array) -> None:
        self._queue(OUTFEED).put(tuple(t.copy() for t in tensors))

    def _send(self, call: CustomCall, *tensors: Array) -> None:
        self._queue(SEND, int(call.attributes[CHANNEL])).put(tuple(t.copy() for t in tensors))

    def _recv(self, call: CustomCall) -> Tensors:
        channel = int(call.attributes[CHANNEL])
        hint = f"Program.transfers.send({channel}, …) fills it"
        return self._take(self._queue(SEND, channel), f"channel {channel} is empty: {hint}")


TARGETS = (INFEED, OUTFEED, SEND, RECEIVE)


def host_function(target: str) -> HostFunction | None:
    """A function that says that there is no host to hand data over: what `load` replaces."""
    return _no_host if target in TARGETS else None


def _no_host(call: CustomCall, *operands: Array) -> None:
    raise ExecutionError(f"@{call.target}: this program runs without a host that feeds or drains it")
