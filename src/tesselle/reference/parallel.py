"""The interpreter dialect: grids of processes, printing and probing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tesselle.dialects.interpreter import ops as s
from tesselle.dialects.stablehlo.base import tensor_type
from tesselle.ir.attributes import SymbolRef
from tesselle.reference.interpreter import interpret
from tesselle.reference.processes import Grid, Process, ProcessId
from tesselle.reference.registry import Array, RegionRunner, region_semantics
from tesselle.support.custom_calls import CustomCall, host_function
from tesselle.support.probes import PRINT, PROBE, PROBE_ID, TYPE


@region_semantics(s.RunParallelOp)
def run_parallel(op: s.RunParallelOp, runner: RegionRunner, *inputs: Array) -> list[Array]:
    """Every program in an interpreter and a thread of its own."""
    grid = Grid(len(op.programs), len(op.programs[0]))
    functions = dict(runner.module.symbols())
    rest = deque(inputs)

    def program(name: SymbolRef, process: Process) -> Callable[[], list[Array]]:
        count = len(getattr(functions[name.root], "args", ()))
        args = [rest.popleft() for _ in range(count)]
        return lambda: interpret(runner.module, name.root, args, runner.host_functions, process)

    grid.infeed.extend(program(name, Process(grid)) for name in op.infeed)
    programs: dict[ProcessId, Callable[[], list[Array]]] = {}
    for r, row in enumerate(op.programs):
        for p, name in enumerate(row):
            programs[r, p] = program(name, Process(grid, (r, p)))
    results = grid.run(programs)
    return [value for process in grid.processes for value in results[process]]


@region_semantics(s.PrintOp)
def print_(op: s.PrintOp, runner: RegionRunner, operand: Array) -> Array:
    return _shown(PRINT, {}, runner, operand)


@region_semantics(s.ProbeOp)
def probe(op: s.ProbeOp, runner: RegionRunner, operand: Array) -> Array:
    config = {PROBE_ID: op.probe_id, TYPE: str(tensor_type(op, op.operand, per_axis=True))}
    return _shown(PROBE, config, runner, operand)


def _shown(target: str, config: dict[str, str], runner: RegionRunner, operand: Array) -> Array:
    function = runner.host_functions.get(target) or host_function(target)
    assert function is not None
    function(CustomCall(target, config), operand)
    return operand
