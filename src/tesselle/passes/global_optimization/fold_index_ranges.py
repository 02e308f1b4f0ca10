"""fold-index-ranges: host arithmetic whose result follows from what is known of loop counters and sizes.

    scf.for %i = 0 to 100 step 1 {
      %a = arith.maxsi %i, 0            ->  %i
      %b = arith.minsi %a, 99           ->  %i
      %c = arith.cmpi slt, %i, 0        ->  false
      tensor.extract_slice %x[%b, 0] …  ->  tensor.extract_slice %x[%i, 0] …

    %0 = tensor.dim %x, 0               ->  flow.assert %0 <= 2147483647
    %1 = arith.index_cast %0 : to i32
    %2 = arith.muli %1, 4 : i32         ->  flow.assert %0 * 4 <= 2147483647
    %3 = arith.index_cast %2 : to index ->  arith.muli %0, 4 : index

StableHLO clamps the start of every dynamic slice, and jnp adds the size to negative indices; under a loop that counts
inside of the bounds all of it goes away. Sizes that programs compute in i32 are computed as index values, and checked
to fit. What the program asserts of its sizes (equal, a multiple of, at least) is known behind it. Offsets and sizes
that turn out constant become static.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.dialects.core import arith, func, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.ir.builder import Builder
from tesselle.ir.core import BlockArgument, Op, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.passes.dispatch_creation.assertions import require
from tesselle.passes.index_arithmetic import IndexBuilder, Size
from tesselle.passes.index_facts import IndexFacts, is_within, type_range
from tesselle.passes.index_forms import Form, Part, Symbol
from tesselle.support.dtypes import DType

_CASTS = (
    arith.IndexCastOp,
    arith.IndexCastUIOp,
    arith.ExtSIOp,
    arith.ExtUIOp,
    arith.TruncIOp,
    arith.BitcastOp,
)


@register_pass("fold-index-ranges", needs=[Fact.LINALG])
@dataclass(frozen=True)
class FoldIndexRanges(Pass):
    """Fold host arithmetic by ranges and equality, check that sizes fit their types, make constant offsets, sizes and
    bounds static.
    """

    def run(self, module: Op) -> None:
        for function in list(module.walk()):
            if isinstance(function, func.FuncOp) and not function.is_declaration:
                fold_index_ranges(function)
        eliminate_dead_code(module)
        eliminate_common_subexpressions(module)


def fold_index_ranges(function: func.FuncOp) -> None:
    """Fold the host arithmetic of one function; what nothing uses any more stays."""
    _Folding(function).run()


@dataclass
class _Folding:
    """`available`: index values of the function's own block that were computed so far, by what they are."""

    function: func.FuncOp
    facts: IndexFacts = field(default_factory=IndexFacts)
    available: dict[Form, Value] = field(default_factory=dict[Form, Value])

    def run(self) -> None:
        for op in self.function.walk():
            if op.parent is None or op.parent_op is None or op.parent_op.dialect == "linalg":
                continue
            if isinstance(op, flow.AssertOp):
                self._assert(op)
                continue
            if op.parent is self.function.entry and isinstance(op, arith.IndexCastOp):
                self._check_fits(op)
            replacement = self._fold(op)
            if replacement is not None:
                op.replace_with(replacement)
            elif op.parent is self.function.entry:
                self._remember(op)

    def _remember(self, op: Op) -> None:
        if len(op.results) == 1 and isinstance(op.results[0].type, DType) and op.results[0].type.is_index:
            self.available.setdefault(self.facts.form(op.results[0]), op.results[0])

    # ------------------------------------------------------------------------------------------ checks

    def _assert(self, op: flow.AssertOp) -> None:
        if self.facts.constant(op.condition) == 1:
            op.erase()
        elif op.parent is self.function.entry:
            self._learn(op)

    def _learn(self, op: flow.AssertOp) -> None:
        self.facts.learn(op.condition)
        known = list(self.available.values())
        self.available.clear()
        for value in known:
            self.available.setdefault(self.facts.form(value), value)

    def _check_fits(self, op: arith.IndexCastOp) -> None:
        """A cast of a size from or to a narrower type: the program fails where the size does not fit into it."""
        source, target = op.operand.type, op.result.type
        if not isinstance(source, DType) or not isinstance(target, DType) or source.is_bool or target.is_bool:
            return
        narrow = target if source.is_index else source
        form = self.facts.unwrapped(op.operand)
        found, limits = self.facts.range_of_form(form), type_range(narrow)
        if is_within(found, limits) or not form.symbols or not all(map(_is_size, form.symbols)):
            return
        b = Builder.before_op(op)
        size = self._emit(b, form)
        index = IndexBuilder(b)
        for predicate, bound, holds in (
            (arith.CmpIPredicate.SLE, limits[1], found[1] <= limits[1]),
            (arith.CmpIPredicate.SGE, limits[0], found[0] >= limits[0]),
        ):
            if not holds:
                check = require(b, predicate, size, int(bound), f"a size that the program computes in {narrow}")
                if check is not None:
                    self._learn(check)
        if target.is_index:
            op.set_operand(0, b.insert(arith.IndexCastOp(index.value(size), source)).result)

    def _emit(self, b: Builder, form: Form) -> Size:
        """The form as arithmetic on index values."""
        found = self.available.get(form)
        if found is not None:
            return found
        index = IndexBuilder(b)
        total: Size = 0
        for monomial, coefficient in sorted(form, key=lambda t: sorted(map(_order, t[0]))):
            factors = [self._emit_symbol(b, s) for s in sorted(monomial, key=_order)]
            total = index.add(total, index.product([coefficient, *factors]))
        if isinstance(total, Value) and b.block is self.function.entry:
            self.available.setdefault(form, total)
        return total

    def _emit_symbol(self, b: Builder, symbol: Symbol) -> Value:
        if isinstance(symbol, Value):
            return symbol
        assert isinstance(symbol, Part)
        index = IndexBuilder(b)
        whole = self._emit_symbol(b, symbol.symbol)
        return b.insert(arith.DivSIOp(whole, index.value(symbol.divisor))).result

    # ------------------------------------------------------------------------------------------ folding

    def _fold(self, op: Op) -> Value | None:
        facts = self.facts
        if isinstance(op, arith.CmpIOp):
            known = facts.decide(op)
            return None if known is None else _constant(op, known)
        if isinstance(op, arith.SelectOp) and isinstance(op.result.type, DType):
            condition = facts.constant(op.condition)
            if condition is not None:
                return op.true_value if condition else op.false_value
        if isinstance(op, tensor.ExtractSliceOp):
            return _static_slice(op, facts)
        if isinstance(op, tensor.InsertSliceOp):
            return _static_insert(op, facts)
        if op.dialect != "arith" or isinstance(op, arith.ConstantOp) or len(op.results) != 1:
            return self._same_dim(op)
        t = op.results[0].type
        if not isinstance(t, DType) or t.is_float or t.is_complex:
            return None
        known = facts.constant(op.results[0])
        if known is not None:
            return _constant(op, known)
        return self._same(op, op.results[0], t)

    def _same(self, op: Op, result: Value, t: DType) -> Value | None:
        """A value that is there already and is the same number."""
        form = self.facts.form(result)
        if t.is_index:
            found = self.available.get(form)
            if found is not None:
                return found
            if isinstance(op, _CASTS) and form.symbols and all(map(_is_size, form.symbols)):
                size = self._emit(Builder.before_op(op), form)
                return size if isinstance(size, Value) else None
        for operand in op.operands:
            if operand.type == t and self.facts.form(operand) == form:
                return operand
        if isinstance(op, _CASTS):
            inner = op.operands[0].defining_op
            if inner is not None and isinstance(inner, _CASTS) and inner.operands[0].type == t:
                source = inner.operands[0]
                return source if self.facts.form(source) == form else None
        return None

    def _same_dim(self, op: Op) -> Value | None:
        """The size of another argument that was found to be the same."""
        if not isinstance(op, tensor.DimOp):
            return None
        known = self.facts.constant(op.result)
        return self.available.get(self.facts.form(op.result)) if known is None else _constant(op, known)


def _is_size(symbol: Symbol) -> bool:
    """Whether a symbol is the size of an argument of a function, or a part of one."""
    while isinstance(symbol, Part):
        symbol = symbol.symbol
    maker = symbol.defining_op if isinstance(symbol, Value) else None
    return isinstance(maker, tensor.DimOp) and isinstance(maker.operand, BlockArgument)


def _order(symbol: Symbol) -> tuple[int, int, int]:
    """The order in which sizes of arguments are multiplied."""
    divisor = 1
    while isinstance(symbol, Part):
        symbol, divisor = symbol.symbol, divisor * symbol.divisor
    maker = symbol.defining_op if isinstance(symbol, Value) else None
    assert isinstance(maker, tensor.DimOp) and isinstance(maker.operand, BlockArgument)
    return maker.operand.index, maker.axis, divisor


def _constant(op: Op, value: int | bool) -> Value:
    t = op.results[0].type
    assert isinstance(t, DType)
    number = bool(value) if t.is_bool else int(value)
    return Builder.before_op(op).insert(arith.ConstantOp(number, t)).result


def _static(values: Sequence[int | Value], facts: IndexFacts) -> list[int | Value]:
    result: list[int | Value] = []
    for v in values:
        known = facts.constant(v) if isinstance(v, Value) else None
        result.append(v if known is None else known)
    return result


def _static_slice(op: tensor.ExtractSliceOp, facts: IndexFacts) -> Value | None:
    old = (op.mixed_offsets, op.mixed_sizes, op.mixed_strides)
    offsets, sizes, strides = (_static(x, facts) for x in old)
    if (offsets, sizes, strides) == old:
        return None
    b = Builder.before_op(op)
    same_rank = op.result_type.rank == len(sizes)
    made = tensor.ExtractSliceOp.of(op.operand, offsets, sizes, strides, None if same_rank else op.result_type)
    result = b.insert(made).result
    return result if result.type == op.result_type else b.insert(tensor.CastOp(result, op.result_type)).result


def _static_insert(op: tensor.InsertSliceOp, facts: IndexFacts) -> Value | None:
    old = (op.mixed_offsets, op.mixed_sizes, op.mixed_strides)
    offsets, sizes, strides = (_static(x, facts) for x in old)
    if (offsets, sizes, strides) == old:
        return None
    if tensor_type(op.source).shape != tuple(s if isinstance(s, int) else None for s in sizes):
        sizes = old[1]
    return Builder.before_op(op).insert(tensor.InsertSliceOp.of(op.source, op.dest, offsets, sizes, strides)).result
