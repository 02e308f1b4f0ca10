"""lower-tf-control-flow: loops, branches and calls of TensorFlow become those of StableHLO and func.

%r:2 = tf.While(%i, %x) {cond = @c, body = @b}   ->   %r:2 = stablehlo.while(%i, %x) cond { what @c does } do { … @b }
%r = tf.If(%p, %x) {then_branch = @t, …}         ->   %r = stablehlo.if %p { what @t does with %x } { … }
%r = tf.PartitionedCall(%x) {f = @f}             ->   %r = func.call @f(%x)

What an iteration hands on as it is, variables and lists among it, is no state of the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.dialects.core.func import CallOp, FuncOp
from tesselle.dialects.core.func import ReturnOp as FuncReturnOp
from tesselle.dialects.core.tensor import CastOp
from tesselle.dialects.stablehlo import control_flow as cf
from tesselle.dialects.tf import control_flow as tf
from tesselle.dialects.tf.binary import ToBoolOp
from tesselle.dialects.tf.shape import IdentityOp
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, BlockArgument, Op, Region, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.symbols import symbols_of
from tesselle.ir.types import TensorType, Type
from tesselle.support.diagnostics import Diagnostic, Note, Unsupported, VerifyError
from tesselle.support.dtypes import I1
from tesselle.support.locations import CallSiteLocation

_BOOL = TensorType((), I1)


@register_pass("lower-tf-control-flow")
@dataclass(frozen=True)
class LowerTfControlFlow(Pass):
    """Replace functional and regional control flow of `tf`. Errors: Unsupported for recursion, VerifyError."""

    def run(self, module: Op) -> None:
        if any(op.dialect == "tf" for op in module.walk()):
            functions = {name: op for name, op in symbols_of(module) if isinstance(op, FuncOp)}
            lowering = _Lowering(functions, [f for f in functions.values() if f.is_public])
            while lowering.pending:
                function = lowering.pending.pop()
                if function not in lowering.done:
                    lowering.done.add(function)
                    for block in function.body.blocks:
                        lowering.block(block, (function.sym_name,))


@dataclass
class _Lowering:
    """`pending`: functions that are called. A path names the functions whose bodies stand around a block."""

    functions: dict[str, FuncOp]
    pending: list[FuncOp]
    done: set[FuncOp] = field(default_factory=set[FuncOp])

    def block(self, block: Block, path: tuple[str, ...]) -> None:
        for op in block.ops:
            match op:
                case tf.WhileBase():
                    self._while(op, path)
                case tf.WhileRegionOp():
                    self._while_region(op, path)
                case tf.IfBase():
                    self._branches(op, op.cond, (op.then_branch, op.else_branch), path)
                case tf.CaseBase():
                    self._branches(op, op.branch_index, op.branches, path)
                case tf.IfRegionOp() | tf.CaseRegionOp():
                    self._branch_regions(op, path)
                case tf.CallBase():
                    self._call(op)
                case _:
                    for region in op.regions:
                        for inner in region.blocks:
                            self.block(inner, path)

    # ------------------------------------------------------------------------------------------ functions

    def _target(self, op: Op, ref: SymbolRef, path: Sequence[str]) -> FuncOp:
        function = self.functions.get(ref.root)
        if function is None:
            raise VerifyError(f"there is no function {ref}", op.location, f"{op.name}.function")
        if ref.root in path:
            chain = " -> ".join(f"@{n}" for n in [*path[path.index(ref.root) :], ref.root])
            raise Unsupported(f"recursion is not supported: {chain}", op.location, f"{op.name}.recursion")
        if len(function.body.blocks) != 1:
            what = "has no body" if function.is_declaration else "has several blocks"
            note = (Note("the function", function.location),)
            raise Unsupported.several([Diagnostic(f"{ref} {what}", op.location, f"{op.name}.function", note)])
        return function

    def _copy(self, function: FuncOp, target: Block, arguments: Sequence[Value], call: Op) -> list[Value]:
        """Put a copy of the function's body at the end of `target`; what it returns."""
        b = Builder(target, None, call.location)
        mapping: dict[Value, Value] = {}
        for arg, value in zip(function.entry.args, arguments, strict=True):
            mapping[arg] = _cast(b, value, arg.type)
        for op in function.entry:
            if isinstance(op, FuncReturnOp):
                return [mapping.get(v, v) for v in op.values]
            copy = op.clone(mapping)
            copy.location = CallSiteLocation(op.location, call.location)
            b.insert(copy)
        raise VerifyError(f"@{function.sym_name} does not return", function.location, "func.func.return")

    def _call(self, op: tf.CallBase) -> None:
        function = self._target(op, op.f, ())
        b = Builder.before_op(op)
        t = function.function_type
        arguments = [_cast(b, v, want) for v, want in zip(op.args, t.inputs, strict=True)]
        results = b.insert(CallOp(op.f, arguments, t.results)).results
        op.replace_with([_cast(b, r, old.type) for r, old in zip(results, op.results, strict=True)])
        self.pending.append(function)

    # ------------------------------------------------------------------------------------------ loops

    def _while(self, op: tf.WhileBase, path: tuple[str, ...]) -> None:
        blocks: list[Block] = []
        for ref in (op.cond, op.body):
            function = self._target(op, ref, path)
            block = Block(op.result_types)
            values = self._copy(function, block, block.args, op)
            b = Builder(block, None, op.location)
            b.insert(cf.ReturnOp(values))
            blocks.append(block)
        self._finish_loop(op, blocks[0], blocks[1], (*path, op.cond.root, op.body.root))

    def _while_region(self, op: tf.WhileRegionOp, path: tuple[str, ...]) -> None:
        blocks: list[Block] = []
        for region in (op.cond, op.body):
            block = region.block
            region.blocks, block.parent = [], None
            _end_region(block)
            blocks.append(block)
        self._finish_loop(op, blocks[0], blocks[1], path)

    def _finish_loop(self, op: Op, cond: Block, body: Block, path: tuple[str, ...]) -> None:
        test = cond.terminator
        test.set_operands([_as_bool(Builder.before_op(test), test.operands[0])])
        end = body.terminator
        b = Builder.before_op(end)
        end.set_operands([_cast(b, v, t) for v, t in zip(end.operands, op.result_types, strict=True)])
        b = Builder.before_op(op)
        inits = [_cast(b, v, t) for v, t in zip(op.operands, op.result_types, strict=True)]
        loop = b.insert(cf.WhileOp(inits, Region([cond]), Region([body])))
        op.replace_with(loop.results)
        for block in (cond, body):
            self.block(block, path)  # inner loops first: what goes through them unchanged is no state of this one
        drop_invariants(loop)

    # ------------------------------------------------------------------------------------------ branches

    def _branches(
        self, op: tf.IfBase | tf.CaseBase, index: Value, refs: Sequence[SymbolRef], path: tuple[str, ...]
    ) -> None:
        regions: list[Region] = []
        for ref in refs:
            block = Block()
            values = self._copy(self._target(op, ref, path), block, op.input, op)
            b = Builder(block, None, op.location)
            b.insert(cf.ReturnOp([_cast(b, v, r.type) for v, r in zip(values, op.results, strict=True)]))
            regions.append(Region([block]))
        self._finish_branches(op, index, regions, [(*path, ref.root) for ref in refs])

    def _branch_regions(self, op: tf.IfRegionOp | tf.CaseRegionOp, path: tuple[str, ...]) -> None:
        regions: list[Region] = []
        for region in op.regions:
            block = region.block
            region.blocks, block.parent = [], None
            _end_region(block)
            end = block.terminator
            b = Builder.before_op(end)
            end.set_operands([_cast(b, v, r.type) for v, r in zip(end.operands, op.results, strict=True)])
            regions.append(Region([block]))
        self._finish_branches(op, op.operands[0], regions, [path] * len(regions))

    def _finish_branches(self, op: Op, index: Value, regions: list[Region], paths: Sequence[tuple[str, ...]]) -> None:
        b = Builder.before_op(op)
        if isinstance(op, tf.CaseBase | tf.CaseRegionOp):
            branch: Op = cf.CaseOp(index, regions, op.result_types)
        else:
            branch = cf.IfOp(_as_bool(b, index), regions[0], regions[1], op.result_types)
        op.replace_with(b.insert(branch).results)
        for region, path in zip(regions, paths, strict=True):
            self.block(region.block, path)


def _cast(b: Builder, value: Value, t: Type) -> Value:
    """The value under another type of the same tensor; handles of another description are what they are."""
    if value.type == t or not isinstance(t, TensorType) or not isinstance(value.type, TensorType):
        return value
    return value if t.dtype.is_opaque else b.insert(CastOp(value, t)).result


def _as_bool(b: Builder, value: Value) -> Value:
    return value if value.type == _BOOL else b.insert(ToBoolOp(value)).result


def _end_region(block: Block) -> None:
    """A region that yields returns."""
    end = block.terminator
    values = list(end.operands)
    end.erase()
    Builder(block, None, end.location).insert(cf.ReturnOp(values))


def drop_invariants(loop: cf.WhileOp) -> None:
    """Take what every iteration hands on as it is out of the loop's state."""
    cond, body = loop.cond.block, loop.body.block
    end = body.terminator
    kept = [i for i, v in enumerate(end.operands) if not _is_argument(v, body.args[i])]
    if len(kept) == len(loop.results):
        return
    for i, result in enumerate(loop.results):
        if i not in kept:
            result.replace_all_uses_with(loop.operands[i])
            for block in (cond, body):
                block.args[i].replace_all_uses_with(loop.operands[i])
    end.set_operands([end.operands[i] for i in kept])
    for block in (cond, body):
        for i in reversed(range(len(block.args))):
            if i not in kept:
                block.erase_arg(i)
    inits = [loop.operands[i] for i in kept]
    regions = [loop.cond, loop.body]
    blocks = [r.block for r in regions]
    for region, block in zip(regions, blocks, strict=True):
        region.blocks, block.parent = [], None
    smaller = Builder.before_op(loop).insert(cf.WhileOp(inits, *(Region([x]) for x in blocks)))
    for new, i in zip(smaller.results, kept, strict=True):
        loop.results[i].replace_all_uses_with(new)
    loop.erase()


def _is_argument(value: Value, argument: BlockArgument) -> bool:
    while isinstance(value.defining_op, IdentityOp):
        value = value.defining_op.input
    return value is argument
