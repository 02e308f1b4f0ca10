"""pack-transients: all transients of an invocation share one arena."""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import builtin, func, scf
from tesselle.dialects.stream import ops as stream
from tesselle.dialects.stream.types import TRANSIENT
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.passes.index_arithmetic import IndexBuilder, Size, constant_index
from tesselle.passes.stream.arena import Interval, colour, pack
from tesselle.passes.stream.assign_storage import ALIGNMENT

PEAK_BYTES = "stream.peak_transient_bytes"
"""Attribute of a function: bytes of its arena, None (absent) when they depend on shapes."""


@register_pass("pack-transients", needs=[Fact.SCHEDULED])
@dataclass(frozen=True)
class PackTransients(Pass):
    """Replace transient allocations by ranges of one, such that those needed in the same wave do not overlap.

    Static sizes are packed best-fit; dynamic ones follow, equal sizes sharing slots, at offsets that the host computes.

    %a = stream.resource.alloc %64           %arena = stream.resource.alloc %128
    %b = stream.resource.alloc %64     ->    … %arena[0, 64] … %arena[64, 64] …
    """

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        for op in list(module.body):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                _Packing(op).run()


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
        dynamic: dict[Value, list[stream.ResourceAllocOp]] = {}
        for op in allocs:
            if constant_index(op.size) is None:
                dynamic.setdefault(op.size, []).append(op)
        if not dynamic:
            return offsets, total
        index = IndexBuilder(Builder.before_op(allocs[-1]))  # behind the last of their sizes
        end: Size = total
        for size, group in dynamic.items():
            slots, count = colour([self._interval(op.result, 0) for op in group])
            step = index.align(size, ALIGNMENT)
            for op, slot in zip(group, slots, strict=True):
                offsets[op.result] = index.add(end, index.multiply(step, slot))
            end = index.add(end, index.multiply(step, count))
        return offsets, end

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
