"""Register allocation for the host program.

Linear scan (Poletto and Sarkar, 1999) over the blocks in their order. A value lives from its definition to its last
use, through every block in which it is live; the argument of a block also while the branches to that block are taken,
since they write it. The machine has as many registers as a function asks for: fewer make smaller frames, nothing is
spilled.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from tesselle.artifact.vm_isa import RegisterType
from tesselle.dialects.vm.types import REGISTER_TYPES
from tesselle.ir.core import Block, Op, Region, Value


@dataclass(frozen=True)
class Allocation:
    """Registers of values, and the type of each register; the arguments of the entry come first."""

    registers: dict[Value, int]
    types: tuple[RegisterType, ...]


def branch_arguments(op: Op, index: int) -> tuple[Value, ...]:
    """What a terminator hands to its successor number `index`."""
    if op.name == "vm.br":
        return op.operands
    assert op.operand_segments is not None
    _, first, second = op.operand_segments
    return op.operands[1 : 1 + first] if index == 0 else op.operands[1 + first : 1 + first + second]


def _live_out(region: Region) -> dict[Block, set[Value]]:
    """The values that each block's successors need."""
    used: dict[Block, set[Value]] = {}
    defined: dict[Block, set[Value]] = {}
    for block in region.blocks:
        here: set[Value] = set(block.args)
        needs: set[Value] = set()
        for op in block:
            needs.update(v for v in op.operands if v not in here)
            here.update(op.results)
        used[block], defined[block] = needs, here
    live_in = {block: set(used[block]) for block in region.blocks}
    live_out: dict[Block, set[Value]] = {block: set() for block in region.blocks}
    changed = True
    while changed:
        changed = False
        for block in reversed(region.blocks):
            out: set[Value] = set()
            for successor in block.terminator.successors:
                out |= live_in[successor]
            if out != live_out[block]:
                live_out[block] = out
                live_in[block] = used[block] | (out - defined[block])
                changed = True
    return live_out


def allocate(region: Region) -> Allocation:
    """Registers for every value of a function's body."""
    live_out = _live_out(region)
    first: dict[Value, int] = {}
    last: dict[Value, int] = {}

    def touch(value: Value, position: int) -> None:
        first[value] = min(first.get(value, position), position)
        last[value] = max(last.get(value, position), position)

    position = 0
    entry = region.blocks[0]
    live_in_at: dict[Block, int] = {}
    for block in region.blocks:
        live_in_at[block] = position
        for arg in block.args:
            touch(arg, position)
        position += 1
        for op in block:
            for v in op.operands:
                touch(v, position)
            for r in op.results:
                touch(r, position)
            for successor in op.successors:
                for arg in successor.args:
                    touch(arg, position)
            position += 1
        for v in live_out[block]:
            touch(v, position)
        position += 1
    # A value live out of a block is live into its successors: touch the beginnings, for loops go backwards.
    for block in region.blocks:
        for successor in block.terminator.successors:
            for v in live_out[block]:
                if v in last and first[v] < live_in_at[successor]:
                    touch(v, live_in_at[successor])
    return _scan(entry, first, last)


def _scan(entry: Block, first: dict[Value, int], last: dict[Value, int]) -> Allocation:
    types: list[RegisterType] = []
    registers: dict[Value, int] = {}
    free: dict[RegisterType, list[int]] = {t: [] for t in RegisterType}
    active: list[tuple[int, int]] = []  # (last position, register)

    for arg in entry.args:
        types.append(REGISTER_TYPES[arg.type])
        registers[arg] = len(types) - 1
        heapq.heappush(active, (last[arg], registers[arg]))
    rest = sorted((v for v in first if v not in registers), key=first.__getitem__)
    for value in rest:
        while active and active[0][0] < first[value]:
            _, register = heapq.heappop(active)
            heapq.heappush(free[types[register]], register)
        t = REGISTER_TYPES[value.type]
        if free[t]:
            register = heapq.heappop(free[t])
        else:
            types.append(t)
            register = len(types) - 1
        registers[value] = register
        heapq.heappush(active, (last[value], register))
    return Allocation(registers, tuple(types))


def parallel_moves(moves: list[tuple[int, int]], scratch: int | None) -> list[tuple[int, int]]:
    """A sequence of (target, source) moves with the effect of doing all of `moves` at once.

    A cycle needs `scratch`, a register of the type of those in it; ValueError when it is missing.
    """
    pending = {target: source for target, source in moves if target != source}
    order: list[tuple[int, int]] = []
    while pending:
        sources = set(pending.values())
        ready = [target for target in pending if target not in sources]
        if ready:
            for target in ready:
                order.append((target, pending.pop(target)))
            continue
        if scratch is None:
            raise ValueError("moves form a cycle and there is no scratch register")
        target = next(iter(pending))
        order.append((scratch, target))
        for other, source in pending.items():
            if source == target:
                pending[other] = scratch
    return order


def has_cycle(moves: list[tuple[int, int]]) -> bool:
    """Whether the moves need a scratch register."""
    try:
        parallel_moves(moves, None)
    except ValueError:
        return True
    return False
