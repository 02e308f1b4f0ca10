"""convert-to-stream: tensors become resources, dispatches and plumbing become stream.async."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core import arith, builtin, func, ml_program, scf, tensor
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.hal.types import BUFFER_VIEW
from tesselle.dialects.stream import ops as stream
from tesselle.dialects.stream.types import RESOURCE
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code
from tesselle.ir.symbols import lookup
from tesselle.ir.types import FunctionType, TensorType, Type
from tesselle.passes.dispatch_creation.shapes import Shapes
from tesselle.passes.index_arithmetic import IndexBuilder, Size
from tesselle.passes.stream.hoist_scalars import hoist_scalars
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import INDEX

SIGNATURE = "stream.signature"
"""Attribute of a function: its type before tensors became buffer views."""

PATTERN_BYTES = 8
"""The widest scalar that a device fill repeats."""


@register_pass("convert-to-stream", needs=[Fact.OUTLINED], gives=[Fact.STREAM])
@dataclass(frozen=True)
class ConvertToStream(Pass):
    """Functions take and give buffer views; inside, tensors are resources with sizes in bytes.

    %1 = flow.dispatch @e::@e(%0) : tensor<4xf32>   ->   %1 = stream.async.dispatch @e::@e(%0) {16} -> {16}

    Errors: Unsupported for host operations on tensors that have no stream form, and for scalars at function borders.
    """

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        for op in list(module.body):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                _FunctionConversion(op).run()
                hoist_scalars(op)
                eliminate_common_subexpressions(op)


@dataclass(frozen=True)
class _Tensor:
    """What a resource was before: its type and dimensions."""

    type: TensorType
    dims: tuple[Size, ...]


class _FunctionConversion:
    def __init__(self, function: func.FuncOp) -> None:
        self.function = function
        self.constants: dict[int, Value] = {}
        self.tensors: dict[Value, _Tensor] = {}
        self.reshapes: list[stream.AsyncSliceOp] = []

    def run(self) -> None:
        """Shapes first, while every tensor still has its maker; then operation by operation."""
        shapes = Shapes()
        values: list[Value] = []
        for op in self.function.walk():
            values.extend(a for region in op.regions for block in region.blocks for a in block.args)
            values.extend(op.results)
        for value in values:
            if isinstance(value.type, TensorType):
                self.tensors[value] = _Tensor(value.type, shapes.of(value))
        self._convert_arguments()
        for op in list(self.function.walk()):
            if op.parent is not None and op is not self.function:
                self._convert(op)
        for op in self.reshapes:
            op.replace_with(op.source)
        eliminate_dead_code(self.function)

    def _index(self, b: Builder) -> IndexBuilder:
        return IndexBuilder(b, self.constants, self.function.entry)

    def _size(self, b: Builder, value: Value) -> Value:
        """Bytes of a tensor."""
        was = self.tensors[value]
        index = self._index(b)
        return index.value(index.bytes_of(was.type, was.dims))

    def _replace(self, op: Op, values: Sequence[Value]) -> None:
        for old, new in zip(op.results, values, strict=True):
            if old in self.tensors:
                self.tensors.setdefault(new, self.tensors[old])
        op.replace_with(values)

    # ------------------------------------------------------------------------------------------ the border

    def _convert_arguments(self) -> None:
        """Dimensions are asked first, then the arguments are imported."""
        function, block = self.function, self.function.entry
        function.attributes[SIGNATURE] = function.function_type
        self._check_border(function)
        imports: list[Op] = []
        for i, arg in enumerate(block.args):
            was = self.tensors[arg]
            for user in arg.users:
                if isinstance(user, tensor.DimOp):
                    new = stream.TensorDimOp(arg, user.axis, INDEX)
                    new.location = user.location
                    block.insert(new, block.first)
                    self._rename_dim(user.result, new.result)
                    user.replace_with(new.result)
            import_ = stream.TensorImportOp(arg, arg, i, was.type)
            import_.location = arg.location
            imports.append(import_)
        head = next((op for op in block if not isinstance(op, stream.TensorDimOp)), None)
        for arg, import_ in zip(block.args, imports, strict=True):
            arg.type = BUFFER_VIEW
            block.insert(import_, head)
            resource = import_.results[0]
            resource.name_hint = arg.name_hint
            arg.replace_uses_if(resource, lambda user, _: user.dialect != "stream")
            self.tensors[resource] = self.tensors[arg]
            import_.set_operand(1, self._size(Builder.before_op(import_), resource))
        count = len(function.function_type.results)
        function.function_type = FunctionType((BUFFER_VIEW,) * len(block.args), (BUFFER_VIEW,) * count)

    def _load(self, op: ml_program.GlobalLoadOp, b: Builder) -> None:
        """Dimensions are asked behind the load, in front of the import."""
        value = op.results[0]
        view = b.insert(stream.VariableLoadOp(op.global_)).result
        for user in value.users:
            if isinstance(user, tensor.DimOp):
                new = b.insert(stream.TensorDimOp(view, user.axis, INDEX))
                self._rename_dim(user.result, new.result)
                user.replace_with(new.result)
        import_ = stream.TensorImportOp(view, self._size(b, value), None, self.tensors[value].type)
        b.insert(import_).result.name_hint = op.global_.root
        self._replace(op, [import_.result])

    def _store(self, op: ml_program.GlobalStoreOp, b: Builder) -> None:
        target = lookup(op, op.global_)
        assert isinstance(target, ml_program.GlobalOp)
        b.insert(stream.VariableStoreOp(self._export(op.value, target.type, b), op.global_))
        op.erase()

    def _rename_dim(self, old: Value, new: Value) -> None:
        for value, was in self.tensors.items():
            if old in was.dims:
                self.tensors[value] = _Tensor(was.type, tuple(new if d is old else d for d in was.dims))

    @staticmethod
    def _check_border(function: func.FuncOp) -> None:
        for what, types in (("argument", function.function_type.inputs), ("result", function.function_type.results)):
            for i, t in enumerate(types):
                if not isinstance(t, TensorType):
                    raise Unsupported(f"{what} {i} of @{function.sym_name} is no tensor: {t}", function.location)

    def _return(self, op: func.ReturnOp, b: Builder) -> None:
        views: list[Value] = []
        signature = self.function.attributes[SIGNATURE]
        assert isinstance(signature, FunctionType)
        for value, t in zip(op.values, signature.results, strict=True):
            views.append(self._export(value, t, b))
        op.set_operands(views)

    def _export(self, value: Value, t: Type, b: Builder) -> Value:
        """A view of the tensor as `t`."""
        assert isinstance(t, TensorType)
        index = self._index(b)
        dims = [index.value(d) for d, s in zip(self.tensors[value].dims, t.shape, strict=True) if s is None]
        return b.insert(stream.TensorExportOp(value, dims, t)).result

    # ------------------------------------------------------------------------------------------ operations

    def _convert(self, op: Op) -> None:
        b = Builder.before_op(op)
        match op:
            case flow.DispatchOp():
                sizes = [self._size(b, v) for v in (*op.arguments, *op.results) if v in self.tensors]
                new = stream.AsyncDispatchOp(op.arguments, sizes, op.entry, len(op.results), op.tied)
                self._replace(op, b.insert(new).results)
            case flow.HostCallOp():
                self._host_call(op, b)
            case arith.ConstantOp() if isinstance(op.value, DenseElements):
                self._replace(op, b.insert(stream.AsyncConstantOp(self._size(b, op.result), op.value)).results)
            case flow.TensorReshapeOp():
                self._reshape(op, b)
            case flow.TensorTieShapeOp():
                self._tie(op, b)
            case flow.TensorSliceOp():
                offset = self._offset(b, op.offset, op.source)
                self._replace(op, b.insert(stream.AsyncSliceOp(op.source, offset, self._size(b, op.result))).results)
            case flow.TensorUpdateOp():
                offset = self._offset(b, op.offset, op.target)
                length = self._size(b, op.source)
                new = stream.AsyncUpdateOp(op.source, op.target, offset, length, self._size(b, op.result))
                self._replace(op, b.insert(new).results)
            case flow.TensorSplatOp():
                self._splat(op, b)
            case tensor.EmptyOp():
                self._replace(op, b.insert(stream.AsyncAllocaOp(self._size(b, op.result))).results)
            case tensor.FromElementsOp():
                self._from_elements(op, b)
            case tensor.ExtractOp():
                self._extract(op, b)
            case scf.ForOp() | scf.WhileOp() | scf.IfOp():
                self._retype(op)
            case ml_program.GlobalLoadOp():
                self._load(op, b)
            case ml_program.GlobalStoreOp():
                self._store(op, b)
            case func.ReturnOp():
                self._return(op, b)
            case arith.SelectOp() if op.result in self.tensors:
                self._select(op, b)
            case _:
                if any(isinstance(v.type, TensorType) for v in (*op.operands, *op.results)):
                    raise Unsupported(f"{op.name} on tensors has no form outside of dispatches", op.location, op.name)

    def _host_call(self, op: flow.HostCallOp, b: Builder) -> None:
        values = (*op.arguments, *op.results)
        index = self._index(b)
        dims = [
            index.value(d)
            for v in values
            for d, s in zip(self.tensors[v].dims, self.tensors[v].type.shape, strict=True)
            if s is None
        ]
        sizes = [self._size(b, v) for v in op.results]
        tensors = tuple(self.tensors[v].type for v in values)
        new = stream.AsyncHostCallOp(op.arguments, sizes, dims, op.target, op.config, tensors)
        self._replace(op, b.insert(new).results)

    def _offset(self, b: Builder, elements: Value, of: Value) -> Value:
        index = self._index(b)
        return index.value(index.multiply(elements, self.tensors[of].type.dtype.size_bytes))

    def _tie(self, op: flow.TensorTieShapeOp, b: Builder) -> None:
        """A size that is handed on beside the tensor changes; one that is known outside is said for others to find."""
        if any(d.owner is op.source.owner for d in op.dims):
            self._replace(op, b.insert(stream.AsyncTieOp(op.source, self._size(b, op.source))).results)
        else:
            self._replace(op, [op.source])

    def _reshape(self, op: flow.TensorReshapeOp, b: Builder) -> None:
        """The same bytes. A slice of everything stands for them, until nobody asks for dimensions any more."""
        index = self._index(b)
        everything = b.insert(stream.AsyncSliceOp(op.source, index.value(0), self._size(b, op.source)))
        self.reshapes.append(everything)
        self._replace(op, everything.results)

    def _splat(self, op: flow.TensorSplatOp, b: Builder) -> None:
        size = self._size(b, op.result)
        known = op.value.defining_op
        if op.result_type.dtype.size_bytes > PATTERN_BYTES:
            if not isinstance(known, arith.ConstantOp) or not op.result_type.is_static:
                raise Unsupported(f"a splat of a computed {op.result_type.dtype}", op.location)
            t = op.result_type
            elements = DenseElements(np.full(t.static_shape, known.value, t.dtype.numpy), t)
            self._replace(op, b.insert(stream.AsyncConstantOp(size, elements)).results)
            return
        self._replace(op, b.insert(stream.AsyncSplatOp(op.value, size)).results)

    def _from_elements(self, op: tensor.FromElementsOp, b: Builder) -> None:
        size = self._size(b, op.result)
        index = self._index(b)
        width = op.result_type.dtype.size_bytes
        at: Value = b.insert(stream.AsyncAllocaOp(size)).result
        for i, element in enumerate(op.elements):
            offset, length = index.value(i * width), index.value(width)
            at = b.insert(stream.AsyncFillOp(element, at, offset, length, size)).result
        self._replace(op, [at])

    def _extract(self, op: tensor.ExtractOp, b: Builder) -> None:
        was = self.tensors[op.operand]
        index = self._index(b)
        offset: Size = 0
        stride: Size = was.type.dtype.size_bytes
        for d, i in zip(reversed(was.dims), reversed(op.indices), strict=True):
            offset = index.add(offset, index.multiply(i, stride))
            stride = index.multiply(stride, d)
        op.replace_with(b.insert(stream.AsyncLoadOp(op.operand, index.value(offset), op.result.type)).result)

    def _select(self, op: arith.SelectOp, b: Builder) -> None:
        """A choice between tensors by a scalar: control flow."""
        branches = [Region([Block()]), Region([Block()])]
        for region, value in zip(branches, (op.true_value, op.false_value), strict=True):
            Builder.at_end(region.block, op.location).insert(scf.YieldOp([value]))
        new = scf.IfOp(op.condition, result_types_=[RESOURCE], then_region=branches[0], else_region=branches[1])
        self._replace(op, b.insert(new).results)

    def _retype(self, op: Op) -> None:
        """Results and arguments of control flow; the operations inside follow in their turn."""
        arguments = (a for region in op.regions for block in region.blocks for a in block.args)
        for value in (*op.results, *arguments):
            if isinstance(value.type, TensorType):
                value.type = RESOURCE
