"""A grid of processes that run at the same time and exchange values: replicas x partitions.

Source: StableHLO spec, Parallel execution (process grids, process groups, channels).
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tesselle.reference.registry import Array
from tesselle.support.diagnostics import ExecutionError, TesselleError

ProcessId = tuple[int, int]
"""(replica, partition)."""

Group = tuple[ProcessId, ...]
Key = tuple[object, ...]
"""What values are left under, for another process to take."""


def _no_infeed() -> list[Array]:
    raise ExecutionError("the infeed is empty")


@dataclass
class Grid:
    """What the processes share. `infeed`: the functions whose results infeed reads, in order."""

    replicas: int = 1
    partitions: int = 1
    infeed: deque[Callable[[], list[Array]]] = field(default_factory=deque[Callable[[], list[Array]]])
    outfeed: list[list[Array]] = field(default_factory=list[list[Array]])

    def __post_init__(self) -> None:
        self.changed = threading.Condition()
        self.mailboxes: dict[Key, deque[list[Array]]] = defaultdict(deque)
        self.running = set(self.processes)
        self.waiting: dict[ProcessId, Key] = {}
        self.failed = False

    @property
    def processes(self) -> list[ProcessId]:
        return [(r, p) for r in range(self.replicas) for p in range(self.partitions)]

    def put(self, key: Key, values: Sequence[Array]) -> None:
        """Leave values under a key; what is left under the same key is taken in the same order."""
        with self.changed:
            self.mailboxes[key].append(list(values))
            self.changed.notify_all()

    def take(self, key: Key, taker: ProcessId) -> list[Array]:
        """Take what was left under a key, waiting for it. ExecutionError when no process is left that could do so."""
        with self.changed:
            self.waiting[taker] = key
            while not self.mailboxes[key]:
                if self.failed or self._stuck():
                    self.failed = True
                    self.changed.notify_all()
                    raise ExecutionError(f"process {taker} waits for values that no process sends ({key[0]})")
                self.changed.wait()
            del self.waiting[taker]
            return self.mailboxes[key].popleft()

    def _stuck(self) -> bool:
        """Whether every process that still runs waits for something that is not there."""
        return all(p in self.waiting and not self.mailboxes[self.waiting[p]] for p in self.running)

    def next_infeed(self) -> list[Array]:
        """What the next infeed reads. ExecutionError when there is nothing."""
        with self.changed:
            read = self.infeed.popleft() if self.infeed else _no_infeed
        return read()

    # ------------------------------------------------------------------------------------------ process groups

    def cross_replica(self, groups: Sequence[Sequence[int]]) -> list[Group]:
        """Groups of replicas, within each partition."""
        return [tuple((r, p) for r in g) for g in self._replicas(groups) for p in range(self.partitions)]

    def cross_partition(self, groups: Sequence[Sequence[int]]) -> list[Group]:
        """Groups of partitions, within each replica."""
        given = groups or [range(self.partitions)]
        return [tuple((r, p) for p in g) for g in given for r in range(self.replicas)]

    def cross_replica_and_partition(self, groups: Sequence[Sequence[int]]) -> list[Group]:
        """Groups of replicas, with all their partitions."""
        return [tuple((r, p) for p in range(self.partitions) for r in g) for g in self._replicas(groups)]

    def flattened_ids(self, groups: Sequence[Sequence[int]]) -> list[Group]:
        """Groups of processes, numbered replica * partitions + partition."""
        return [tuple((i // self.partitions, i % self.partitions) for i in g) for g in groups]

    def _replicas(self, groups: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
        # XLA's convention: no group at all is the group of all replicas.
        return groups or [range(self.replicas)]

    # ------------------------------------------------------------------------------------------ running

    def run(self, programs: Mapping[ProcessId, Callable[[], list[Array]]]) -> dict[ProcessId, list[Array]]:
        """Run one program for every process, each in a thread; the results. The first error of any process."""
        results: dict[ProcessId, list[Array]] = {}
        errors: list[BaseException] = []

        def work(process: ProcessId) -> None:
            try:
                results[process] = programs[process]()
            except BaseException as error:
                with self.changed:
                    # What fails because another process has failed comes later, and says less.
                    errors.append(error)
                    self.failed = True
            finally:
                with self.changed:
                    self.running.discard(process)
                    self.changed.notify_all()

        threads = [threading.Thread(target=work, args=(p,), name=f"process {p}", daemon=True) for p in self.processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise next((e for e in errors if not isinstance(e, TesselleError)), errors[0])
        return results


class Process:
    """One process of a grid, as the operations that it runs see it."""

    def __init__(self, grid: Grid | None = None, id: ProcessId = (0, 0)) -> None:
        self.grid = grid or Grid()
        self.id = id

    @property
    def replica(self) -> int:
        return self.id[0]

    @property
    def partition(self) -> int:
        return self.id[1]

    def group_of(self, groups: Sequence[Group]) -> Group | None:
        """The group that this process is in."""
        return next((g for g in groups if self.id in g), None)

    def exchange(self, name: str, channel: int, group: Group, values: Sequence[Array]) -> list[list[Array]]:
        """What every process of `group` gives to this exchange, in the group's order; each takes part once."""
        for member in group:
            self._require(name, member)
        for member in group:
            self.grid.put((name, channel, group, self.id, member), values)
        return [self.grid.take((name, channel, group, member, self.id), self.id) for member in group]

    def _require(self, name: str, member: ProcessId) -> None:
        if member not in self.grid.processes:
            size = f"{self.grid.replicas} replicas x {self.grid.partitions} partitions"
            raise ExecutionError(f"{name} names process {member}; the grid is {size}")

    def post(self, key: Key, values: Sequence[Array]) -> None:
        """Leave values for another process."""
        self.grid.put(key, values)

    def fetch(self, key: Key) -> list[Array]:
        """Take what another process left, waiting for it."""
        return self.grid.take(key, self.id)
