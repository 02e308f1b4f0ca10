"""expand-collectives: a compiled program is one replica and one partition, and its own neighbour.

all_gather, all_to_all, reduce_scatter, collective_broadcast, cross-replica-sum of a group of one  ->  the operands
all_reduce(x) {body in a wider type}       ->  convert x
collective_permute(x) {pairs without us}   ->  zeros
infeed, outfeed, send, recv                ->  calls of the host, which feeds and drains (`Program.transfers`)

Source: StableHLO spec, Parallel execution: with one process every process group is {(0, 0)}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tesselle.dialects.stablehlo import collective as c
from tesselle.dialects.stablehlo import tokens
from tesselle.dialects.stablehlo.attributes import ChannelHandle
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.custom_calls import CONFIG
from tesselle.dialects.stablehlo.elementwise import ConvertOp
from tesselle.dialects.stablehlo.quantization import UniformQuantizeOp
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.ir.attributes import Attribute, DenseElements, IntegerAttr
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.quantized import QuantizedType
from tesselle.ir.rewrite import Rewriter
from tesselle.ir.types import TensorType, TokenType, types_compatible
from tesselle.support.diagnostics import Diagnostic, Unsupported
from tesselle.support.dtypes import I64
from tesselle.support.transfers import CHANNEL, CONFIGURATION, INFEED, OUTFEED, RECEIVE, SEND

Groups = Sequence[Sequence[int]]


@register_pass("expand-collectives")
@dataclass(frozen=True)
class ExpandCollectives(Pass):
    """Expand communication to what it means for one process. Errors: Unsupported where it names another process."""

    def run(self, module: Op) -> None:
        failures: list[Diagnostic] = []
        for op in [o for o in module.walk() if type(o) in _EXPANSIONS]:
            try:
                op.replace_with(_EXPANSIONS[type(op)](op, Rewriter(op)))
            except Unsupported as error:
                failures.extend(error.diagnostics)
        if failures:
            raise Unsupported.several(failures)


def _only_us(op: Op, ids: Iterable[int]) -> bool:
    """Whether process 0 is among the process ids `ids`; Unsupported when another one is."""
    found = {i for i in ids if i != -1}
    others = sorted(found - {0})
    if others:
        text = f"{op.name} names process {others[-1]}; a compiled program is one replica and one partition"
        raise Unsupported(text, op.location, op.name)
    return bool(found)


def _members(groups: Groups) -> Iterable[int]:
    return (i for group in groups for i in group)


def _same_types(op: Op, values: Sequence[Value]) -> Sequence[Value]:
    """`values`, which must have the types of the results: a group of one changes no shape."""
    for value, result in zip(values, op.results, strict=True):
        if not types_compatible(value.type, result.type):
            text = f"{op.name} of one process has the type of its operand, {value.type}, not {result.type}"
            raise Unsupported(text, op.location, op.name)
    return values


def _zeros(value: Value, rw: Rewriter) -> Value:
    t = value.type
    if not isinstance(t, TensorType) or not t.is_static:
        raise Unsupported(f"{rw.op.name} that gives zeros of type {t}", rw.op.location, rw.op.name)
    if isinstance(t.dtype, QuantizedType):
        floats = rw.insert(ConstantOp(DenseElements.splat(0, t.with_dtype(t.dtype.expressed)))).result
        return rw.insert(UniformQuantizeOp(floats, t)).result
    return rw.insert(ConstantOp(DenseElements.splat(0, t))).result


def _gathered(op: c.AllGatherOp, rw: Rewriter) -> Sequence[Value]:
    _only_us(op, _members(op.replica_groups))
    return _same_types(op, op.tensors)


def _reduced(op: c.AllReduceOp, rw: Rewriter) -> Sequence[Value]:
    """A tree of one leaf computes nothing, but its value has the type that the body returns (spec, all_reduce, C7)."""
    _only_us(op, _members(op.replica_groups))
    values: list[Value] = []
    for value, result in zip(op.tensors, op.results, strict=True):
        t = result.type
        assert isinstance(t, TensorType)
        values.append(value if value.type == t else rw.insert(ConvertOp(value, t)).result)
    return values


def _exchanged(op: c.AllToAllOp, rw: Rewriter) -> Sequence[Value]:
    _only_us(op, _members(op.replica_groups))
    return _same_types(op, op.tensors)


def _scattered(op: c.ReduceScatterOp, rw: Rewriter) -> Sequence[Value]:
    _only_us(op, _members(op.replica_groups))
    t = op.result_type
    wide = op.operand if op.operand.type == t else rw.insert(ConvertOp(op.operand, t)).result
    return _same_types(op, (wide,))


def _broadcast(op: c.CollectiveBroadcastOp, rw: Rewriter) -> Sequence[Value]:
    return (op.operand if _only_us(op, _members(op.replica_groups)) else _zeros(op.operand, rw),)


def _permuted(op: c.CollectivePermuteOp, rw: Rewriter) -> Sequence[Value]:
    return (op.operand if _only_us(op, _members(op.source_target_pairs)) else _zeros(op.operand, rw),)


def _summed(op: c.CrossReplicaSumOp, rw: Rewriter) -> Sequence[Value]:
    _only_us(op, _members(op.replica_groups))
    return (op.operand,)


# ---------------------------------------------------------------------------------------------- the host


def _call(
    op: Op, rw: Rewriter, target: str, inputs: Sequence[Value], token: Value, config: dict[str, Attribute]
) -> Sequence[Value]:
    """A call of the host for every result but tokens, for which `token` stands."""
    types = [t for t in op.result_types if not isinstance(t, TokenType)]
    attributes: dict[str, Attribute] = {"call_target_name": target, "has_side_effect": True, CONFIG: config}
    results = iter(rw.insert(CustomCallOp.build(inputs, types, attributes)).results)
    return [token if isinstance(t, TokenType) else next(results) for t in op.result_types]


def _channel(handle: ChannelHandle) -> dict[str, Attribute]:
    return {CHANNEL: IntegerAttr(handle.handle, I64)}


def _infeed(op: tokens.InfeedOp, rw: Rewriter) -> Sequence[Value]:
    return _call(op, rw, INFEED, (), op.token, {CONFIGURATION: op.infeed_config})


def _outfeed(op: tokens.OutfeedOp, rw: Rewriter) -> Sequence[Value]:
    return _call(op, rw, OUTFEED, op.inputs, op.token, {CONFIGURATION: op.outfeed_config})


def _send(op: tokens.SendOp, rw: Rewriter) -> Sequence[Value]:
    _only_us(op, _members(op.source_target_pairs or ()))
    return _call(op, rw, SEND, op.inputs, op.token, _channel(op.channel_handle))


def _recv(op: tokens.RecvOp, rw: Rewriter) -> Sequence[Value]:
    _only_us(op, _members(op.source_target_pairs or ()))
    return _call(op, rw, RECEIVE, (), op.token, _channel(op.channel_handle))


_EXPANSIONS: dict[type[Op], Callable[..., Sequence[Value]]] = {
    c.AllGatherOp: _gathered,
    c.AllReduceOp: _reduced,
    c.AllToAllOp: _exchanged,
    c.ReduceScatterOp: _scattered,
    c.CollectiveBroadcastOp: _broadcast,
    c.CollectivePermuteOp: _permuted,
    c.CrossReplicaSumOp: _summed,
    tokens.InfeedOp: _infeed,
    tokens.OutfeedOp: _outfeed,
    tokens.SendOp: _send,
    tokens.RecvOp: _recv,
}
