"""pack-transients: all transients of an invocation share one arena."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core import builtin, func, scf
from tesselle.dialects.core.arith import DivSIOp
from tesselle.dialects.stream import ops as stream
from tesselle.dialects.stream.types import TRANSIENT
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.passes.index_arithmetic import IndexBuilder, Size, constant_index
from tesselle.passes.index_facts import IndexFacts
from tesselle.passes.index_forms import Form
from tesselle.passes.stream.arena import Interval, pack
from tesselle.passes.stream.assign_storage import ALIGNMENT

_MOST_WASTE = 1.125

PEAK_BYTES = "stream.peak_transient_bytes"
"""Attribute of a function: bytes of its arena, None (absent) when they depend on shapes."""


@register_pass("pack-transients", needs=[Fact.SCHEDULED])
@dataclass(frozen=True)
class PackTransients(Pass):
    """Replace transient allocations by ranges of one, such that those needed in the same wave do not overlap.

    Static sizes are packed best-fit. Dynamic ones follow in groups of multiples of one number (4·b·s, 1536·b·s), each
    packed best-fit by its multiples, at offsets that the host computes.

    %a = stream.resource.alloc %64           %arena = stream.resource.alloc %128
    %b = stream.resource.alloc %64     ->    … %arena[0, 64] … %arena[64, 64] …
    """

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        for op in list(module.body):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                _Packing(op).run()


@dataclass(frozen=True)
class _Multiple:
    """An allocation of `count` times the unit of its group."""

    op: stream.ResourceAllocOp
    count: int


class _Packing:
    def __init__(self, function: func.FuncOp) -> None:
        self.function = function
        self.time = 0
        self.allocs: list[stream.ResourceAllocOp] = []
        self.first: dict[Value, int] = {}
        self.last: dict[Value, int] = {}
        self.loops: list[tuple[int, int]] = []
        self.touched: set[Value] = set()
        self.is_recording = False

    def run(self) -> None:
        self.allocs = [
            op for op in self.function.entry if isinstance(op, stream.ResourceAllocOp) and op.result_type == TRANSIENT
        ]
        for op in self.allocs:
            self.first[op.result] = -1
        self._block(self.function.entry)
        used = [op for op in self.allocs if op.result in self.last]
        offsets, total = self._offsets(used)
        if used:
            self._replace(used, offsets, total)
        for op in list(self.function.walk()):
            if isinstance(op, stream.ResourceCarryOp):
                op.erase()
        for op in self.allocs:
            op.erase()
        if isinstance(total, int):
            self.function.attributes[PEAK_BYTES] = total

    # ------------------------------------------------------------------------------------------ lifetimes

    def _touch(self, value: Value) -> None:
        if value in self.first:
            self.touched.add(value)
            if value not in self.last:
                self.first[value] = self.time
            self.last[value] = self.time

    def _block(self, block: Block) -> None:
        """Advance the time at every barrier; what lives around a loop lives through all of it."""
        for op in block:
            match op:
                case scf.ForOp() | scf.WhileOp():
                    self._loop(op)
                case scf.IfOp() | stream.CmdExecuteOp():
                    self.time += 1
                    self.is_recording = isinstance(op, stream.CmdExecuteOp)
                    for region in op.regions:
                        for inner in region.blocks:
                            self._block(inner)
                    self.is_recording = False
                    self.time += 1
                case stream.CmdBarrierOp():
                    self.time += 1
                case _:
                    for v in op.operands:
                        self._touch(v)

    def _loop(self, loop: Op) -> None:
        # No barrier stands before a recorded loop: what it does first runs beside the commands in front of it.
        if not self.is_recording:
            self.time += 1
        start = self.time
        around = set(self.last)
        outside, self.touched = self.touched, set()
        for region in loop.regions:
            for block in region.blocks:
                self._block(block)
                self.time += 1
        # Live before the loop and used in it: the next iteration needs it again.
        for v in self.touched & around:
            self.last[v] = self.time
        self.touched |= outside
        self.loops.append((start, self.time))
        self.time += 1

    def _interval(self, value: Value, size: int) -> Interval:
        """What a loop makes and something after it uses lives through all of it: later iterations may not make it."""
        first, last = self.first[value], self.last[value]
        for start, end in self.loops:  # inner ones come first
            if start <= first <= end < last:
                first = start
        return Interval(size, first, last)

    # ------------------------------------------------------------------------------------------ packing

    def _offsets(self, allocs: list[stream.ResourceAllocOp]) -> tuple[dict[Value, Size], Size]:
        """Offsets in the arena, and its size."""
        static = [(op, size) for op in allocs if (size := constant_index(op.size)) is not None]
        packed, total = pack([self._interval(op.result, size) for op, size in static], ALIGNMENT)
        offsets: dict[Value, Size] = {op.result: o for (op, _), o in zip(static, packed, strict=True)}
        facts = IndexFacts()
        dynamic: dict[Form, list[_Multiple]] = {}
        for op in allocs:
            if constant_index(op.size) is None:
                form = facts.form(op.size)
                unit = form.divided(form.divisor)
                assert unit is not None
                dynamic.setdefault(unit, []).append(_Multiple(op, form.divisor))
        if not dynamic:
            return offsets, total
        index = IndexBuilder(Builder.before_op(allocs[-1]))  # behind the last of their sizes
        end: Size = total
        for group in dynamic.values():
            end = self._place_multiples(index, group, end, offsets)
        return offsets, end

    def _place_multiples(
        self, index: IndexBuilder, group: Sequence[_Multiple], start: Size, offsets: dict[Value, Size]
    ) -> Size:
        """Place allocations of count * unit bytes each from `start` on; the end of them.

        Places are multiples of a step that keeps them aligned. Steps of ALIGNMENT * unit do, and waste what counts lack
        to the next multiple of ALIGNMENT; where that is much, steps of the largest number that divides all counts,
        rounded up to ALIGNMENT bytes, waste less.
        """

        def packed(step: int) -> tuple[list[int], int]:
            return pack([self._interval(m.op.result, -(-m.count // step)) for m in group], 1)

        common = math.gcd(*(m.count for m in group))
        wide, narrow = packed(ALIGNMENT), packed(common)
        exact = common % ALIGNMENT == 0 or wide[1] * ALIGNMENT > narrow[1] * common * _MOST_WASTE
        units = common if exact else ALIGNMENT
        places, count = narrow if exact else wide
        # units * unit bytes, from any of the sizes.
        source = next((m for m in group if m.count == units), group[0])
        step: Size = source.op.size
        if source.count != units:
            unit = index.builder.insert(DivSIOp(index.value(step), index.value(source.count))).result
            step = index.multiply(unit, units)
        if exact and common % ALIGNMENT:
            step = index.align(step, ALIGNMENT)
        for m, place in zip(group, places, strict=True):
            offsets[m.op.result] = index.add(start, index.multiply(step, place))
        return index.add(start, index.multiply(step, count))

    def _replace(self, allocs: list[stream.ResourceAllocOp], offsets: dict[Value, Size], total: Size) -> None:
        b = Builder.before_op(allocs[-1])
        constants: dict[int, Value] = {}
        index = IndexBuilder(b, constants, self.function.entry)
        arena = b.insert(stream.ResourceAllocOp(index.value(total), TRANSIENT)).result
        arena.name_hint = "arena"
        for op in list(self.function.walk()):
            groups = _ranges(op)
            if not any(op.operands[r] in offsets for r, _ in groups):
                continue
            operands = list(op.operands)
            at = IndexBuilder(Builder.before_op(op), constants, self.function.entry)
            for r, o in groups:
                base = offsets.get(operands[r])
                if base is not None:
                    operands[o] = at.value(at.add(operands[o], base))
                    operands[r] = arena
            op.set_operands(operands)


def _ranges(op: Op) -> list[tuple[int, int]]:
    """Pairs of operands (resource, offset)."""
    match op:
        case stream.CmdDispatchOp():
            first, count = len(op.push), len(op.resources)
            return [(first + i, first + count + i) for i in range(count)]
        case stream.CmdCopyOp():
            return [(0, 1), (2, 3)]
        case stream.CmdFillOp():
            return [(1, 2)]
        case stream.ResourceLoadOp():
            return [(0, 1)]
        case stream.CmdHostCallOp():
            count = len(op.resources)
            return [(i, count + i) for i in range(count)]
        case _:
            return []
