"""schedule-commands: groups commands into stream.cmd.execute, in waves of independent ones with barriers between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.artifact.vm_isa import ACCESS_READ, ACCESS_WRITE
from tesselle.dialects.core import builtin, func, scf
from tesselle.dialects.stream import ops as stream
from tesselle.dialects.stream.types import TIMEPOINT
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import add_results
from tesselle.passes.dispatch_creation.host_scalars import is_scalar_arithmetic
from tesselle.passes.index_arithmetic import constant_index

COMMANDS = (stream.CmdDispatchOp, stream.CmdCopyOp, stream.CmdFillOp)
HOST_WORK = (stream.ResourceLoadOp, stream.CmdHostCallOp)
"""What the host does itself, once the device's work before it is done."""


@register_pass("schedule-commands", needs=[Fact.STREAM], gives=[Fact.SCHEDULED])
@dataclass(frozen=True)
class ScheduleCommands(Pass):
    """Commands between two places where the host waits become one stream.cmd.execute.

    Inside it a command stands in the first wave in which everything that it depends on is done; commands that depend
    on nothing wait for the wave before their first user, so that memory is not held for longer than needed. Loops of a
    known number of iterations without host work are recorded as a whole (up to `unroll_limit` commands), others
    submit their body once per iteration, chained by timepoints without waiting.
    """

    unroll_limit: int = 1 << 15

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        for op in list(module.body):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                entry = op.entry
                first = next((o for o in entry if o.dialect in ("stream", "scf")), entry.terminator)
                start = Builder.before_op(first).insert(stream.TimepointImmediateOp()).result
                last = _Scheduler(self.unroll_limit).block(entry, start)
                if last is not start:
                    Builder.before_op(entry.terminator).insert(stream.TimepointAwaitOp(last))
                _exports_last(entry)


def _exports_last(block: Block) -> None:
    for op in block.ops:
        if isinstance(op, stream.TensorExportOp | stream.VariableStoreOp):
            op.move_before(block.terminator)


def has_device_work(op: Op) -> bool:
    return any(isinstance(o, (*COMMANDS, *HOST_WORK)) for o in op.walk())


class _Scheduler:
    def __init__(self, unroll_limit: int) -> None:
        self.unroll_limit = unroll_limit

    def block(self, block: Block, now: Value) -> Value:
        """Schedule the operations of a block that begins at timepoint `now`; returns the timepoint of its end."""
        pending: list[Op] = []

        def flush(before: Op) -> None:
            nonlocal now, pending
            if pending:
                _give_results_to_host(pending)
                now = _execute(pending, before, now)
                pending = []

        for op in block.ops:
            if isinstance(op, COMMANDS) or (isinstance(op, scf.ForOp) and self._is_recorded(op)):
                pending.append(op)
            elif isinstance(op, HOST_WORK):
                flush(op)
                if not _is_immediate(now):
                    Builder.before_op(op).insert(stream.TimepointAwaitOp(now))
            elif isinstance(op, scf.ForOp | scf.WhileOp | scf.IfOp) and has_device_work(op):
                flush(op)
                if _is_immediate(now):
                    # What control flow hands on is awaited somewhere: it must be a fence, if of no work.
                    now = _execute((), op, now)
                now = self._control_flow(op, now)
        flush(block.terminator)
        return now

    def _is_recorded(self, loop: scf.ForOp) -> bool:
        """Whether a loop is recorded as a whole: what it gives must be read by the same commands, not behind them."""
        if self._commands_of(loop) is None:
            return False
        readers = {user for result in loop.results for user in result.users}
        following = loop.next
        while readers and following is not None:
            if isinstance(following, COMMANDS):
                readers.discard(following)
            elif isinstance(following, HOST_WORK) or following.regions:
                break
            following = following.next
        return not readers

    def _commands_of(self, loop: scf.ForOp) -> int | None:
        """How many commands a loop comes to when it is recorded as a whole; None when it cannot be."""
        bounds = [constant_index(v) for v in (loop.lower, loop.upper, loop.step)]
        lower, upper, step = bounds
        if lower is None or upper is None or step is None or step <= 0:
            return None
        inside = 0
        for op in loop.body.block:
            if isinstance(op, COMMANDS):
                inside += 1
            elif isinstance(op, scf.ForOp):
                nested = self._commands_of(op)
                if nested is None:
                    return None
                inside += nested
            elif not (
                is_scalar_arithmetic(op)
                or isinstance(op, scf.YieldOp | stream.ResourceCarryOp)
                or op.name == "arith.constant"
            ):
                return None
        total = max(0, -(-(upper - lower) // step)) * inside
        return total if 0 < total <= self.unroll_limit else None

    def _control_flow(self, op: scf.ForOp | scf.WhileOp | scf.IfOp, now: Value) -> Value:
        """Thread the timepoint through a loop or a branch."""
        if isinstance(op, scf.IfOp):
            for region in op.regions:
                if region.is_empty:
                    block = Block()
                    region.append(block)
                    Builder.at_end(block, op.location).insert(scf.YieldOp(()))
                end = self.block(region.block, now)
                terminator = region.block.terminator
                terminator.set_operands([*terminator.operands, end])
            return add_results(op, [TIMEPOINT])[0]
        op.set_operands([*op.operands, now])
        result = add_results(op, [TIMEPOINT])[0]
        for region in op.regions:
            block = region.block
            end = self.block(block, block.add_arg(TIMEPOINT))
            block.terminator.set_operands([*block.terminator.operands, end])
        return result


def _give_results_to_host(pending: Sequence[Op]) -> None:
    """Results of recorded loops that others than the commands beside them use come from loops without commands.

    What a loop hands on is where its resources end up; it stands in the region of the commands, and ends there.
    """
    for op in pending:
        if isinstance(op, scf.ForOp) and any(u not in pending for r in op.results for u in r.users):
            twin = Builder.before_op(op).insert(op.clone())
            for inner in list(twin.walk()):
                if isinstance(inner, (*COMMANDS, stream.ResourceCarryOp)):
                    inner.erase()
            for mine, theirs in zip(op.results, twin.results, strict=True):
                mine.replace_all_uses_with(theirs)


def _execute(ops: Sequence[Op], before: Op, now: Value) -> Value:
    body = Block()
    execute = stream.CmdExecuteOp(now, Region([body]))
    Builder.before_op(before).insert(execute)
    _emit_waves(ops, body)
    Builder.at_end(body, before.location).insert(stream.ReturnOp())
    return execute.result


def _is_immediate(timepoint: Value) -> bool:
    return isinstance(timepoint.defining_op, stream.TimepointImmediateOp)


def _emit_waves(ops: Sequence[Op], body: Block) -> None:
    """Move the commands into `body`, wave by wave, with barriers between; loops also inside."""
    if not ops:
        return
    waves = assign_waves(ops)
    count = max(waves) + 1
    grouped: list[list[Op]] = [[] for _ in range(count)]
    for op, wave in zip(ops, waves, strict=True):
        grouped[wave].append(op)
    for i, group in enumerate(grouped):
        if i:
            Builder.at_end(body, group[0].location).insert(stream.CmdBarrierOp())
        for op in sorted(group, key=lambda o: isinstance(o, scf.ForOp)):
            op.detach()
            body.append(op)
            if isinstance(op, scf.ForOp):
                _emit_loop(op)


def _emit_loop(loop: scf.ForOp) -> None:
    """Waves inside a loop that is recorded as a whole; a barrier ends every iteration."""
    block = loop.body.block
    terminator = block.terminator
    terminator.detach()
    work = [o for o in block if isinstance(o, (*COMMANDS, scf.ForOp))]
    _emit_waves(work, block)
    Builder.at_end(block, loop.location).insert(stream.CmdBarrierOp())
    block.append(terminator)


@dataclass(frozen=True)
class _Range:
    """Bytes of a resource that a command reads or writes; None where only the run knows."""

    resource: Value
    offset: int | None
    length: int | None
    writes: bool

    def overlaps(self, other: _Range) -> bool:
        if self.offset is None or self.length is None or other.offset is None or other.length is None:
            return True
        return self.offset < other.offset + other.length and other.offset < self.offset + self.length


def accesses_of(op: Op) -> list[_Range]:
    """What a command, or a loop of commands, reads and writes."""

    def access(resource: Value, offset: Value, length: Value, writes: bool) -> _Range:
        return _Range(resource, constant_index(offset), constant_index(length), writes)

    match op:
        case stream.CmdDispatchOp():
            found: list[_Range] = []
            rows = zip(op.resources, op.offsets, op.lengths, op.access, strict=True)
            for resource, offset, length, mask in rows:
                if mask & ACCESS_READ:
                    found.append(access(resource, offset, length, False))
                if mask & ACCESS_WRITE:
                    found.append(access(resource, offset, length, True))
            return found
        case stream.CmdCopyOp():
            return [
                access(op.source, op.source_offset, op.length, False),
                access(op.target, op.target_offset, op.length, True),
            ]
        case stream.CmdFillOp():
            return [access(op.target, op.offset, op.length, True)]
        case _:
            return [r for inner in op.walk() if isinstance(inner, COMMANDS) for r in accesses_of(inner)]


@dataclass
class _Use:
    range: _Range
    index: int


@dataclass
class _History:
    """Accesses of one resource, in program order."""

    uses: list[_Use] = field(default_factory=list[_Use])


def assign_waves(ops: Sequence[Op]) -> list[int]:
    """The wave of each command: after all that it conflicts with and that stands before it.

    Two commands conflict when they touch common bytes and one of them writes.
    """
    ranges = [accesses_of(op) for op in ops]
    written = {r.resource for found in ranges for r in found if r.writes}
    histories: dict[Value, _History] = {}
    waves: list[int] = []
    followers: list[set[int]] = [set() for _ in ops]
    for i, found in enumerate(ranges):
        wave = 0
        for r in found:
            if r.resource not in written:
                continue
            history = histories.setdefault(r.resource, _History())
            for use in history.uses:
                if use.index != i and (r.writes or use.range.writes) and r.overlaps(use.range):
                    wave = max(wave, waves[use.index] + 1)
                    followers[use.index].add(i)
            history.uses.append(_Use(r, i))
        waves.append(wave)
    # What waits for nothing runs just before its first user.
    for i in reversed(range(len(ops))):
        if waves[i] == 0 and followers[i] and not isinstance(ops[i], scf.ForOp):
            waves[i] = max(0, min(waves[j] for j in followers[i]) - 1)
    used = {w: n for n, w in enumerate(sorted(set(waves)))}
    return [used[w] for w in waves]
