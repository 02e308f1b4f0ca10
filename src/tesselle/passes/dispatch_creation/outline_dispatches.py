"""outline-dispatches: every flow.dispatch.region becomes a flow.executable and a flow.dispatch of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tesselle.dialects.core import builtin, func
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.types import FunctionType, TensorType, Type
from tesselle.passes.dispatch_creation.clone_into_regions import updated_in_place
from tesselle.passes.dispatch_creation.describe import describe
from tesselle.passes.dispatch_creation.in_place import overwritten
from tesselle.passes.dispatch_creation.shapes import Shapes
from tesselle.passes.index_arithmetic import fold
from tesselle.support.dtypes import INDEX

_LARGEST_MULTIPLE = 64
"""No kernel asks for larger divisors of sizes."""


@register_pass("outline-dispatches", needs=[Fact.DISPATCHES], gives=[Fact.OUTLINED])
@dataclass(frozen=True)
class OutlineDispatches(Pass):
    """Move regions into functions of their own.

    Arguments: read tensors, tensors updated in place, written tensors, then push constants (scalars that the region
    uses, and the dynamic dimensions of the tensors).

    %1 = flow.dispatch.region { … %0 … }  ->  %1 = flow.dispatch @main_dispatch_0_…::@main_dispatch_0_…(%0)
    """

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        for function in list(module.body):
            if not isinstance(function, func.FuncOp) or function.is_declaration:
                continue
            shapes = Shapes()
            regions = [op for op in function.walk() if isinstance(op, flow.DispatchRegionOp)]
            in_place = {region: _reads_of(region, found) for region, found in overwritten(function).items()}
            for number, region in enumerate(regions):
                executable = _Outliner(
                    region, shapes, f"{function.sym_name}_dispatch_{number}", in_place.get(region, {})
                ).run()
                Builder.before_op(function).insert(executable)
            _drop_barriers(function)


def _drop_barriers(function: func.FuncOp) -> None:
    """flow.optimization_barrier(x...) -> x...: whatever could have crossed it stands in an executable by now."""
    for op in list(function.walk()):
        if isinstance(op, flow.OptimizationBarrierOp):
            op.replace_with(op.values)


def _reads_of(region: Op, overwritten: Mapping[int, Value]) -> dict[int, tuple[Op, int]]:
    """One of the region's uses of each value: it stays when the value is replaced."""
    inside = region.regions[0]
    return {
        i: next((op, o) for op, o in value.uses if inside.is_ancestor_of(op.parent_region))
        for i, value in overwritten.items()
    }


class _Outliner:
    def __init__(
        self, region: flow.DispatchRegionOp, shapes: Shapes, prefix: str, overwritten: Mapping[int, tuple[Op, int]]
    ) -> None:
        self.region = region
        self.shapes = shapes
        self.prefix = prefix
        self.reads: list[Value] = []
        self.updates: list[tuple[Op, int]] = []
        """Uses of outside tensors that are updated in place: each is a binding of its own, whatever tensor it uses."""
        self.scalars: list[Value] = []
        self.overwritten = {i: op.operands[o] for i, (op, o) in sorted(overwritten.items())}
        """Tensors from outside that results overwrite element by element, by the result's number."""

    def run(self) -> flow.ExecutableOp:
        region, body = self.region, self.region.body.block
        self._collect()
        tied = self._tied_results()
        written = [r for r, t in zip(region.results, tied, strict=True) if t is None]
        bindings = [*self.reads, *(op.operands[i] for op, i in self.updates), *self.overwritten.values()]
        dims = [self._dim_positions(v) for v in (*bindings, *written)]
        description = describe(body.ops, bindings, list(region.results))
        name = f"{self.prefix}_{description.name}"
        entry = SymbolRef(name, (name,))
        access = [flow.Access.READ_ONLY] * len(self.reads)
        access += [flow.Access.READ_WRITE] * (len(self.updates) + len(self.overwritten))
        access += [flow.Access.WRITE_ONLY] * len(written)
        tensors = [tensor_type(v) for v in (*bindings, *written)]
        types: list[Type] = [flow.DispatchTensorType(a, t) for a, t in zip(access, tensors, strict=True)]
        types += [v.type for v in self.scalars]

        arguments = [*bindings, *self.scalars]
        result_dims = [d for r in region.results for d in self._result_dims(r)]
        types_out = [r.type for r in region.results]
        tied_or_none = tied if any(t is not None for t in tied) else ()
        new = flow.DispatchOp(arguments, result_dims, entry, tied=tied_or_none, result_types_=types_out)
        Builder.before_op(region).insert(new)
        function = self._function(name, types, len(bindings), tied)
        for r, s in zip(region.results, new.results, strict=True):
            self.shapes.set(s, self.shapes.of(r))
        region.replace_with(new.results)

        module = builtin.ModuleOp.empty()
        module.body.append(function)
        multiples = self._push_multiples()
        summary, flops, moved = description.summary, description.flops, description.bytes
        export = flow.ExecutableExportOp(name, SymbolRef(name), tuple(dims), multiples, summary, flops, moved)
        executable = flow.ExecutableOp(name, Region([Block()]))
        inner = Builder.at_end(executable.body.block, new.location)
        inner.insert(export)
        inner.insert(module)
        executable.location = new.location
        return executable

    def _collect(self) -> None:
        """The values from outside, by how they are used."""
        region = self.region.body
        block = region.block
        for op in region.walk():
            keep = updated_in_place(op) if op.parent is block else ()
            for i, v in enumerate(op.operands):
                if region.is_ancestor_of(v.parent_region) or v in self.overwritten.values():
                    continue
                if isinstance(v.type, TensorType) and i in keep:
                    self.updates.append((op, i))
                    continue
                group = self.reads if isinstance(v.type, TensorType) else self.scalars
                if v not in group:
                    group.append(v)
        # A tensor that is both read and updated takes two bindings: the read one keeps the old elements.

    def _tied_results(self) -> tuple[int | None, ...]:
        """For each result the argument that it updates in place."""
        terminator = self.region.body.block.terminator
        tied: list[int | None] = []
        first = len(self.reads) + len(self.updates)
        for i, v in enumerate(terminator.operands):
            op = v.defining_op
            found: int | None = None
            if i in self.overwritten:
                found = first + list(self.overwritten).index(i)
            elif op is not None:
                places = updated_in_place(op)
                if places:
                    use = (op, places[op.results.index(v)])
                    if use in self.updates:
                        found = len(self.reads) + self.updates.index(use)
            tied.append(found)
        return tuple(tied)

    def _result_dims(self, result: Value) -> list[Value]:
        rest = iter(self.region.result_dims)
        for r in self.region.results:
            mine = [next(rest) for s in tensor_type(r).shape if s is None]
            if r is result:
                return mine
        return []

    def _dim_positions(self, value: Value) -> tuple[int | None, ...]:
        """Where the push constants hold the dynamic dimensions of a binding."""
        if value.defining_op is self.region:
            dims = iter(self._result_dims(value))
        else:
            dims = iter(self.shapes.dynamic(value))
        return tuple(None if s is not None else self._push(next(dims)) for s in tensor_type(value).shape)

    def _push(self, scalar: Value) -> int:
        known = fold(scalar)
        for i, v in enumerate(self.scalars):
            if v is scalar or (isinstance(known, int) and fold(v) == known):
                return i
        self.scalars.append(scalar)
        return len(self.scalars) - 1

    def _push_multiples(self) -> tuple[int, ...]:
        """What divides the sizes: powers of two, as vectors and blocks of registers are."""
        facts = self.shapes.facts_at(self.region)
        found = [math.gcd(facts.multiple(v), _LARGEST_MULTIPLE) if v.type is INDEX else 1 for v in self.scalars]
        return tuple(found) if any(m > 1 for m in found) else ()

    def _function(self, name: str, types: list[Type], inputs: int, tied: tuple[int | None, ...]) -> func.FuncOp:
        """The dispatch function: loads, the region's operations, stores."""
        block = Block(types)
        function = func.FuncOp(name, FunctionType(tuple(types), ()), Region([block]))
        function.location = self.region.location
        b = Builder.at_end(block, self.region.location)
        old = self.region.body.block
        region = self.region.body
        tensors = sum(isinstance(t, flow.DispatchTensorType) for t in types)

        def load(position: int, value: Value) -> Value:
            op = b.insert(flow.DispatchTensorLoadOp(block.args[position], tensor_type(value)))
            op.result.name_hint = value.name_hint
            return op.result

        for i, (op, operand) in enumerate(self.updates):
            op.set_operand(operand, load(len(self.reads) + i, op.operands[operand]))
        first = len(self.reads) + len(self.updates)
        for i, value in (*enumerate(self.reads), *enumerate(self.overwritten.values(), first)):
            value.replace_uses_if(load(i, value), lambda user, _: region.is_ancestor_of(user.parent_region))
        for i, scalar in enumerate(self.scalars):
            scalar.replace_uses_if(block.args[tensors + i], lambda user, _: region.is_ancestor_of(user.parent_region))
        terminator = old.terminator
        values = list(terminator.operands)
        terminator.erase()
        for op in old:
            op.detach()
            block.append(op)
        written = inputs
        for v, t in zip(values, tied, strict=True):
            target = block.args[t if t is not None else written]
            written += t is None
            b.insert(flow.DispatchTensorStoreOp(v, target))
        b.insert(func.ReturnOp(()))
        return function
