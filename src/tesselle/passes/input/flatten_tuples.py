"""flatten-tuples: functions and control flow take and give tensors alone; tuples come apart, tokens go.

func.func @f(%t: tuple<A, tuple<B>>, %k: !token)  ->  func.func @f(%a: A, %b: B) { %t = tuple %a, (tuple %b); … }
%r = while(%t) …: tuple<A, B>                     ->  %0:2 = while(%t[0], %t[1]) …; %r = tuple %0#0, %0#1
%f = async_start(%x) {all_gather}; async_done %f  ->  all_gather %x
get_tuple_element(tuple(x, y), 1)                 ->  y

A tuple is its leaves in order: arguments and results of functions stand for them one by one. Tokens order side
effects, which keep their order in the text as it is; so they are left out of signatures. Source: StableHLO spec, Types
(tuple types) and Execution (sequential evaluation).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tesselle.dialects.core import func
from tesselle.dialects.stablehlo import control_flow as s
from tesselle.dialects.stablehlo.asynchronous import AsyncDoneOp, AsyncStartOp
from tesselle.dialects.stablehlo.tokens import AfterAllOp, CreateTokenOp
from tesselle.ir.attributes import Attribute
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import Rewriter, apply_patterns, inline_block, pattern
from tesselle.ir.types import FunctionType, FutureType, TokenType, TupleType, Type


@pattern
def read_tuple(op: s.GetTupleElementOp, rw: Rewriter) -> Value | None:
    """get_tuple_element(tuple(x...), i) -> x[i]"""
    made = op.operand.defining_op
    return made.values[op.index] if isinstance(made, s.TupleOp) else None


@register_pass("flatten-tuples")
@dataclass(frozen=True)
class FlattenTuples(Pass):
    """Take tuples apart and leave tokens out, in every function; run what was started asynchronously at once."""

    def run(self, module: Op) -> None:
        changed = [f for f in module.walk() if isinstance(f, func.FuncOp) and not f.is_declaration and _has_groups(f)]
        for f in changed:
            _flatten_function(f)
            for op in list(f.walk()):
                if op is not f and op.parent is not None:
                    _flatten_operation(op)
            apply_patterns(f, [read_tuple])


def _is_group(t: Type) -> bool:
    return isinstance(t, TupleType | TokenType | FutureType)


def _has_groups(f: func.FuncOp) -> bool:
    """Whether anything in the function is a tuple, a token or a future."""
    return any(map(_is_group, (*f.function_type.inputs, *f.function_type.results))) or any(
        _is_group(v.type)
        for op in f.walk()
        if op is not f
        for v in (*op.results, *(a for region in op.regions for block in region.blocks for a in block.args))
    )


def _leaves(t: Type) -> list[Type]:
    """The types of the tensors that a value of type `t` holds."""
    if isinstance(t, TupleType | FutureType):
        return [leaf for part in t.types for leaf in _leaves(part)]
    return [] if isinstance(t, TokenType) else [t]


def _take_apart(value: Value, b: Builder) -> list[Value]:
    """The tensors in `value`."""
    t = value.type
    if isinstance(t, TupleType):
        return _all_leaves(_parts(value, len(t.types), b), b)
    return [] if isinstance(t, TokenType) else [value]


def _put_together(t: Type, leaves: Iterator[Value], b: Builder) -> Value:
    """A value of type `t` made of the next leaves; a tuple in place of a future."""
    if isinstance(t, TupleType | FutureType):
        return b.insert(s.TupleOp([_put_together(part, leaves, b) for part in t.types])).result
    return b.insert(CreateTokenOp()).result if isinstance(t, TokenType) else next(leaves)


def _all_leaves(values: Sequence[Value], b: Builder) -> list[Value]:
    return [leaf for v in values for leaf in _take_apart(v, b)]


# ---------------------------------------------------------------------------------------------- operations


def _flatten_operation(op: Op) -> None:
    groups = any(_is_group(v.type) for v in (*op.operands, *op.results))
    match op:
        case s.WhileOp() if groups:
            for region in op.regions:
                _flatten_arguments(region.block)
            b = Builder.before_op(op)
            _put_results(op, s.WhileOp(_all_leaves(op.operands, b), *_moved(op.regions)), b)
        case s.IfOp() if groups:
            types = _flat_types(op)
            yes, no = _moved(op.regions)
            _put_results(op, s.IfOp(op.pred, yes, no, types), Builder.before_op(op))
        case s.CaseOp() if groups:
            types = _flat_types(op)
            _put_results(op, s.CaseOp(op.index, _moved(op.regions), types), Builder.before_op(op))
        case s.OptimizationBarrierOp() if groups:
            b = Builder.before_op(op)
            _put_results(op, s.OptimizationBarrierOp(_all_leaves(op.operands, b)), b)
        case s.ReturnOp() | func.ReturnOp() if groups:
            op.set_operands(_all_leaves(op.operands, Builder.before_op(op)))
        case AfterAllOp():
            op.replace_with(Builder.before_op(op).insert(CreateTokenOp()).result)
        case AsyncStartOp():
            op.replace_with(_run_at_once(op))
        case AsyncDoneOp():
            op.replace_with(_parts(op.operand, len(op.results), Builder.before_op(op)))
        case _:
            pass


def _flat_types(op: Op) -> list[Type]:
    return [leaf for t in op.result_types for leaf in _leaves(t)]


def _moved(regions: Sequence[Region]) -> list[Region]:
    """The blocks of `regions` in regions of their own."""
    new: list[Region] = []
    for region in regions:
        taken = Region()
        taken.take_blocks(region)
        new.append(taken)
    return new


def _put_results(op: Op, new: Op, b: Builder) -> None:
    """Put `new`, whose results are the leaves of those of `op`, in its place."""
    b.insert(new)
    leaves = iter(new.results)
    op.replace_with([_put_together(t, leaves, b) for t in op.result_types])


def _flatten_arguments(block: Block) -> None:
    """Give the block the leaves of its arguments."""
    b = Builder(block, block.first)
    old = list(block.args)
    for arg in old:
        leaves = [block.add_arg(t, arg.location) for t in _leaves(arg.type)]
        if len(leaves) == 1:
            leaves[0].name_hint = arg.name_hint
        arg.replace_all_uses_with(_put_together(arg.type, iter(leaves), b))
    for _ in old:
        block.erase_arg(0)


def _run_at_once(op: AsyncStartOp) -> Value:
    """The operations of the body in front of `op`; the tuple of what they give stands for the future."""
    results = inline_block(op.body.block, op, list(op.operands))
    return Builder.before_op(op).insert(s.TupleOp(results)).result


def _parts(tuple_: Value, count: int, b: Builder) -> list[Value]:
    return [b.insert(s.GetTupleElementOp(tuple_, i)).result for i in range(count)]


# ---------------------------------------------------------------------------------------------- functions


def _flatten_function(f: func.FuncOp) -> None:
    """Leaves for arguments and results, with the attributes of those that stay whole."""
    t = f.function_type
    if not any(map(_is_group, (*t.inputs, *t.results))):
        return
    _flatten_arguments(f.entry)
    inputs = tuple(leaf for i in t.inputs for leaf in _leaves(i))
    results = tuple(leaf for r in t.results for leaf in _leaves(r))
    f.attributes = {
        **f.attributes,
        "function_type": FunctionType(inputs, results),
        "arg_attrs": _spread(f.arg_attrs, t.inputs),
        "res_attrs": _spread(f.res_attrs, t.results),
    }


def _spread(
    attrs: Sequence[Mapping[str, Attribute]] | None, types: Sequence[Type]
) -> tuple[Mapping[str, Attribute], ...] | None:
    if attrs is None:
        return None
    return tuple({} if _is_group(t) else a for t, a in zip(types, attrs, strict=True) for _ in _leaves(t))
