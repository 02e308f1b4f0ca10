"""flow: dispatch regions, executables, and tensor plumbing that needs no kernel of its own."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.ir.attributes import SymbolRef
from tesselle.ir.core import ISOLATED, NO_TERMINATOR, PURE, SYMBOL_TABLE, TERMINATOR, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, result_type_def, result_types_def, variadic_def
from tesselle.ir.types import TensorType, Type
from tesselle.support.dtypes import INDEX


class Access(enum.Enum):
    READ_ONLY = "readonly"
    WRITE_ONLY = "writeonly"
    READ_WRITE = "readwrite"


@dataclass(frozen=True, slots=True)
class DispatchTensorType(Type):
    """`!flow.dispatch.tensor<readonly:tensor<…>>`: a tensor that a dispatch reads or writes in place."""

    access: Access
    tensor: TensorType

    def __str__(self) -> str:
        return f"!flow.dispatch.tensor<{self.access.value}:{self.tensor}>"


@op("flow.executable", ISOLATED, SYMBOL_TABLE, NO_TERMINATOR)
class ExecutableOp(Op):
    """Device code of one or more dispatches: its body holds one flow.executable.export per entry and a builtin.module.

    The module holds one func.func per entry: arguments of type !flow.dispatch.tensor (bindings, inputs before outputs),
    then index and scalar operands (push constants; among them the dynamic dimensions of the bindings).
    """

    sym_name: str = attr_def()
    body: Region = region_def()


@op("flow.executable.export", ISOLATED)
class ExecutableExportOp(Op):
    """An entry: names the function; `workgroup_count` computes the grid (x, y, z) from the index push constants.

    The region is empty until code generation has chosen tile sizes; then it ends in flow.return of three index values.
    `dim_bindings`: for each binding, for each dimension, the push-constant position that holds it, or None if static.
    `push_multiples`: for each push constant a number that divides it (empty: all 1). `summary` says in words what the
    entry computes, `kernel` which kernel code generation has made of it and why; `flops` and `bytes` are those of one
    run, None when dynamic.
    """

    sym_name: str = attr_def()
    function: SymbolRef = attr_def()
    dim_bindings: tuple[tuple[int | None, ...], ...] = attr_def()
    push_multiples: tuple[int, ...] = attr_def(default=())
    summary: str = attr_def(default="")
    flops: int | None = attr_def(default=None)
    bytes: int | None = attr_def(default=None)
    kernel: str = attr_def(default="")
    workgroup_count: Region = region_def(default=None)


@op("flow.dispatch.region", PURE)
class DispatchRegionOp(Op):
    """A group of operations that becomes one dispatch; uses values from outside until it is outlined.

    `result_dims` are the dynamic dimensions of the results, in order, known outside.
    """

    result_dims: Sequence[Value] = variadic_def()
    result_types_: Sequence[Type] = result_types_def()
    body: Region = region_def()


@op("flow.return", TERMINATOR)
class ReturnOp(Op):
    values: Sequence[Value] = variadic_def()


@op("flow.dispatch", PURE)
class DispatchOp(Op):
    """results = entry(arguments). `result_dims` are the dynamic dimensions of the results, in order.

    Arguments: tensors (bindings) and index/scalar values (push constants) in the order of the entry's function; results
    are the function's written bindings. `tied`: for each result the argument that it updates in place, or None.
    """

    arguments: Sequence[Value] = variadic_def()
    result_dims: Sequence[Value] = variadic_def()
    entry: SymbolRef = attr_def()
    result_types_: Sequence[Type] = result_types_def()
    tied: tuple[int | None, ...] = attr_def(default=())


@op("flow.dispatch.tensor.load", PURE)
class DispatchTensorLoadOp(Op):
    """The whole tensor behind a binding."""

    source: Value = operand_def()
    result_type: TensorType = result_type_def()


@op("flow.dispatch.tensor.store")
class DispatchTensorStoreOp(Op):
    """Write the whole tensor behind a binding."""

    value: Value = operand_def()
    target: Value = operand_def()


@op("flow.tensor.reshape", PURE)
class TensorReshapeOp(Op):
    """The same elements under another shape; no data moves. `result_dims`: dynamic dimensions of the result."""

    source: Value = operand_def()
    result_dims: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()


@op("flow.tensor.tie_shape")
class TensorTieShapeOp(Op):
    """The operand, whose dynamic dimensions are `dims`, in order: control flow hands them on beside it.

    Not pure, though it does nothing: it says what the sizes are, also of a tensor that nothing reads.
    """

    source: Value = operand_def()
    dims: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        return [self.source.type]

    def check(self) -> None:
        t = self.source.type
        need = t.shape.count(None) if isinstance(t, TensorType) else 0
        self.require(need == len(self.dims), "dims", f"{need} dynamic dimensions, {len(self.dims)} operands")


@op("flow.tensor.slice", PURE)
class TensorSliceOp(Op):
    """The elements from `offset` on, in row-major order, as many as the result has; no data moves."""

    source: Value = operand_def()
    offset: Value = operand_def()
    result_dims: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.require(self.offset.type == INDEX, "offset", f"offset is of type index, found {self.offset.type}")


@op("flow.tensor.update", PURE)
class TensorUpdateOp(Op):
    """`target` with the elements from `offset` on, in row-major order, replaced by those of `source`."""

    source: Value = operand_def()
    target: Value = operand_def()
    offset: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        return [self.target.type]


@op("flow.tensor.splat", PURE)
class TensorSplatOp(Op):
    """Every element is the scalar `value`; `result_dims` are the dynamic dimensions."""

    value: Value = operand_def()
    result_dims: Sequence[Value] = variadic_def()
    result_type: TensorType = result_type_def()


@op("flow.optimization_barrier")
class OptimizationBarrierOp(Op):
    """The operands. No rewriting, fusion or motion goes across; outline-dispatches drops it, and nothing is copied.

    Not pure, though it does nothing: equal barriers are different ones, and a loop keeps those that stand inside it.
    """

    values: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        return [v.type for v in self.values]


@op("flow.assert")
class AssertOp(Op):
    """Fail the call with `message` unless `condition` holds.

    `{i}` in the message stands for `values[i]`, of type index. `is_argument`: the caller gave what does not fit.
    """

    condition: Value = operand_def()
    values: Sequence[Value] = variadic_def()
    message: str = attr_def()
    is_argument: bool = attr_def(default=False)


@op("flow.host_call")
class HostCallOp(Op):
    """results = the function that the host registered under `target`, on `arguments`; the device's work waits for it.

    `config` is `CustomCall.to_json()`. `result_dims` are the dynamic dimensions of the results, in order. Calls with
    `has_side_effect` keep their order among one another.
    """

    arguments: Sequence[Value] = variadic_def()
    result_dims: Sequence[Value] = variadic_def()
    target: str = attr_def()
    config: str = attr_def()
    result_types_: Sequence[Type] = result_types_def()
    has_side_effect: bool = attr_def(default=False)
