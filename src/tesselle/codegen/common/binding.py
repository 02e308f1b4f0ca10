"""From a dispatch function on tensors to a bound one: bindings become memrefs, the workgroup's ids arguments.

func.func @f(%x: !flow.dispatch.tensor<readonly:tensor<4xf32>>, %y: !flow.dispatch.tensor<writeonly:tensor<4xf32>>) {
  %0 = flow.dispatch.tensor.load %x
  %1 = linalg.generic … %0 …
  flow.dispatch.tensor.store %1, %y
}
->
func.func @f(%x: memref<4xf32>, %y: memref<4xf32>, %wx: index, %wy: index, %wz: index) {
  %0 = bufferization.to_tensor %x
  %1 = linalg.generic … %0 …
  bufferization.materialize_in_destination %1, %y
}

A push constant that is known to be a multiple of 8 is read as (itself / 8) * 8, from which all that follows sees it.
"""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp, ToTensorOp
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.tensor import CastOp
from tesselle.dialects.flow.ops import DispatchTensorLoadOp, DispatchTensorStoreOp, DispatchTensorType
from tesselle.ir.attributes import UNIT
from tesselle.ir.builder import Builder
from tesselle.ir.types import FunctionType, MemRefType
from tesselle.support.diagnostics import CompilerError
from tesselle.support.dtypes import INDEX


def bind_function(
    function: FuncOp, dim_bindings: tuple[tuple[int | None, ...], ...], push_multiples: Sequence[int] = ()
) -> KernelFunction:
    """Rewrite the function in place. Errors: CompilerError when its arguments do not have the agreed form."""
    entry = function.entry
    count = sum(isinstance(a.type, DispatchTensorType) for a in entry.args)
    if not all(isinstance(a.type, DispatchTensorType) for a in entry.args[:count]):
        raise CompilerError(f"@{function.sym_name}: bindings come before push constants", function.location)
    for arg in entry.args[:count]:
        assert isinstance(arg.type, DispatchTensorType)
        tensor = arg.type.tensor
        users = list(arg.users)
        arg.type = MemRefType(tensor.shape, tensor.dtype)
        for user in users:
            b = Builder.before_op(user)
            if isinstance(user, DispatchTensorLoadOp):
                loaded = b.insert(ToTensorOp(arg)).result
                if loaded.type != user.result.type:
                    loaded = b.insert(CastOp(loaded, user.result_type)).result
                user.replace_with(loaded)
            elif isinstance(user, DispatchTensorStoreOp):
                b.insert(MaterializeInDestinationOp(user.value, arg))
                user.erase()
            else:
                raise CompilerError(f"@{function.sym_name}: {user.name} cannot use a binding", user.location)
    for _ in range(3):
        entry.add_arg(INDEX)
    function.function_type = FunctionType(tuple(a.type for a in entry.args), ())
    function.attributes["dim_bindings"] = dim_bindings
    # Results never share memory with operands; what is updated in place is one binding.
    function.attributes["distinct_bindings"] = UNIT
    kernel = KernelFunction(function, count, dim_bindings, tuple(push_multiples))
    for slot, value in enumerate(kernel.push_constants):
        users = [(op, n) for op, n in value.uses]
        size = kernel.size(slot)
        if size is not value:
            for op, n in users:
                op.set_operand(n, size)
    return kernel
