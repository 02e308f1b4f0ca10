"""Turns over the workers: every workload is loaded by all of them, checked, and timed in rounds of shuffled order."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tesselle.runtime import MachineLimits, measure_machine_limits

from .base import Workload
from .dispatches import costliest
from .peers import Jax, Peer, find_peer
from .results import TESSELLE, Cell, Results, Row, this_machine
from .worker import Failed, Load, Loaded, Profile, Profiled, Time, Timed, Unload, Worker, WorkerSpec, latency_s

PAUSE_S = 0.02
"""Between two turns: threads that wait for work by spinning go to sleep."""


@dataclass(frozen=True)
class Plan:
    """What is measured, and for how long."""

    workloads: Sequence[Workload]
    peers: Sequence[str]
    threads: Sequence[int] = (1, 2)
    rounds: int = 5
    seconds: float = 0.2
    """Of timing, per worker and round."""
    timeout_s: float = 600
    """For one workload to load, or one round to end."""


@dataclass
class Watcher:
    """Called while a run goes on."""

    step: Callable[[str], object] = lambda what: None
    """Before every load and every round; `steps` says how many there are at most."""
    row: Callable[[Row], object] = lambda row: None
    """When a workload is done."""


def steps(plan: Plan) -> int:
    """Calls of `Watcher.step` where no worker fails."""
    return len(plan.workloads) * (1 + len(plan.peers) * len(plan.threads) * (1 + plan.rounds))


def measure(plan: Plan, watcher: Watcher | None = None) -> Results:
    """Run the plan. Peers and numbers of threads that this machine cannot do are left out, with a reason."""
    watcher = watcher or Watcher()
    available = sorted(os.sched_getaffinity(0))
    results = _empty_results(plan, available)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tesselle-workloads-")))

        def start(peer: str, threads: int) -> Worker:
            worker = Worker(WorkerSpec(peer, tuple(available[-threads:]), folder), plan.timeout_s)
            stack.callback(worker.close)
            return worker

        reference = start(Jax.name, max(results.threads))
        workers = {(p, t): start(p, t) for p in results.versions for t in results.threads}
        for workload in plan.workloads:
            row = Row(workload)
            results.rows.append(row)
            _measure_workload(row, plan, reference, workers, folder / f"{workload.name}.npz", watcher)
            for file in folder.glob(f"{workload.name}.*"):  # exported models may be large
                file.unlink()
            watcher.row(row)
    for threads, before in results.limits.items():  # once more: another program may have been in the way
        after = measure_machine_limits(threads)
        results.limits[threads] = MachineLimits(
            max(before.flops_per_s, after.flops_per_s), max(before.bytes_per_s, after.bytes_per_s)
        )
    return results


def _empty_results(plan: Plan, available: Sequence[int]) -> Results:
    left_out: dict[str, str] = {}
    taking_part: dict[str, type[Peer]] = {}
    for name in plan.peers:
        peer = find_peer(name)
        if (reason := peer.missing()) is not None:
            left_out[peer.label] = reason
        else:
            taking_part[name] = peer
    threads = [t for t in plan.threads if t <= len(available)]
    for t in plan.threads:
        if t not in threads:
            left_out[f"{t} threads"] = f"{len(available)} cores are available to this process"
    if not threads:
        raise ValueError(f"{len(available)} cores are available; none of the numbers of threads fits")
    limits: dict[int, MachineLimits] = {t: measure_machine_limits(t) for t in threads}
    return Results(
        this_machine(),
        datetime.now().astimezone(),
        plan.rounds,
        plan.seconds,
        threads,
        {name: peer.version() for name, peer in taking_part.items()},
        {name: peer.label for name, peer in taking_part.items()},
        left_out,
        limits,
    )


def _measure_workload(
    row: Row,
    plan: Plan,
    reference: Worker,
    workers: dict[tuple[str, int], Worker],
    expected: Path,
    watcher: Watcher,
) -> None:
    name = row.workload.name
    watcher.step(f"{name}: expected results")
    answer = reference.ask(Load(name, expected, save=True))
    if isinstance(answer, Failed):
        row.cells = {key: Cell(reason=f"no results to compare with: {answer.reason}") for key in workers}
        return
    reference.ask(Unload())

    rounds: dict[tuple[str, int], list[Timed]] = {}
    for key, worker in workers.items():
        watcher.step(f"{name}: {key[0]} loads, threads: {key[1]}")
        row.cells[key] = cell = _cell(worker.ask(Load(name, expected)), row.workload.tolerance)
        if cell.reason is None:
            rounds[key] = []

    order = random.Random(name)
    for _ in range(plan.rounds):
        turns = [key for key in rounds if row.cells[key].reason is None]
        order.shuffle(turns)
        for key in turns:
            watcher.step(f"{name}: {key[0]}, threads: {key[1]}")
            answer = workers[key].ask(Time(plan.seconds))
            if isinstance(answer, Timed):
                rounds[key].append(answer)
            else:
                row.cells[key].reason = _reason(answer)
            time.sleep(PAUSE_S)
    for key, timed in rounds.items():
        if row.cells[key].reason is None:
            row.cells[key].seconds = latency_s(timed, key[1])
    own = (TESSELLE, min(t for _, t in workers))
    if own in rounds and row.cells[own].reason is None:
        answer = workers[own].ask(Profile())
        if isinstance(answer, Profiled):
            row.dispatches = costliest(answer.dispatches)
        else:
            row.cells[own].reason = _reason(answer)
    for worker in workers.values():
        worker.ask(Unload())


def _cell(answer: object, tolerance: float) -> Cell:
    if not isinstance(answer, Loaded):
        return Cell(reason=_reason(answer))
    cell = Cell(error=answer.error, load_s=answer.seconds, peak_bytes=answer.peak_bytes)
    if not answer.error <= tolerance:
        cell.reason = f"wrong: error {answer.error:.1e}, tolerance {tolerance:.0e}"
    return cell


def _reason(answer: object) -> str:
    return answer.reason if isinstance(answer, Failed) else f"unexpected answer {answer!r}"
