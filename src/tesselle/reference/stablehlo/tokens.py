"""Tuples, tokens, what is ordered by tokens, and what runs asynchronously."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo import asynchronous, control_flow, tokens
from tesselle.reference.registry import TOKEN, Array, RegionRunner, pack, region_semantics, semantics, unpack


@semantics(control_flow.TupleOp)
def make_tuple(op: control_flow.TupleOp, *values: Array) -> Array:
    return pack(values)


@semantics(control_flow.GetTupleElementOp)
def get_tuple_element(op: control_flow.GetTupleElementOp, operand: Array) -> Array:
    return unpack(operand)[op.index]


@semantics(tokens.CreateTokenOp)
def create_token(op: tokens.CreateTokenOp) -> Array:
    return TOKEN


@semantics(tokens.AfterAllOp)
def after_all(op: tokens.AfterAllOp, *inputs: Array) -> Array:
    return TOKEN


@region_semantics(tokens.InfeedOp)
def infeed(op: tokens.InfeedOp, runner: RegionRunner, token: Array) -> list[Array]:
    return [*runner.process.grid.next_infeed(), TOKEN]


@region_semantics(tokens.OutfeedOp)
def outfeed(op: tokens.OutfeedOp, runner: RegionRunner, *inputs: Array) -> Array:
    runner.process.grid.outfeed.append(list(inputs[:-1]))
    return TOKEN


_Pairs = Sequence[Sequence[int]]


def _other(process: int, pairs: _Pairs | None, end: int) -> tuple[int, int] | None:
    """The pair (source, target) that has `process` at `end`; None without pairs, where the channel alone connects."""
    return next(((a, b) for a, b in pairs or () if (a, b)[end] == process), None)


@region_semantics(tokens.SendOp)
def send(op: tokens.SendOp, runner: RegionRunner, *inputs: Array) -> Array:
    """Sends to the process at the other end of the channel (spec, send)."""
    process = runner.process
    pair = _other(process.partition if process.grid.partitions > 1 else process.replica, op.source_target_pairs, 0)
    process.post(("stablehlo.send", op.channel_handle.handle, pair), inputs[:-1])
    return TOKEN


@region_semantics(tokens.RecvOp)
def recv(op: tokens.RecvOp, runner: RegionRunner, token: Array) -> list[Array]:
    """Receives what the process at the other end of the channel sends (spec, recv)."""
    process = runner.process
    pair = _other(process.partition if process.grid.partitions > 1 else process.replica, op.source_target_pairs, 1)
    return [*process.fetch(("stablehlo.send", op.channel_handle.handle, pair)), TOKEN]


@region_semantics(asynchronous.AsyncStartOp)
def async_start(op: asynchronous.AsyncStartOp, runner: RegionRunner, *inputs: Array) -> Array:
    """Runs at once: nobody can tell when a computation without side effects took place."""
    return pack(runner.run_region(op.body, inputs))


@semantics(asynchronous.AsyncDoneOp)
def async_done(op: asynchronous.AsyncDoneOp, operand: Array) -> list[Array]:
    return unpack(operand)
