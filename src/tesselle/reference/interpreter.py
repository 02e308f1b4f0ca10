"""Running a module with the NumPy meanings of its operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import CallOp, FuncOp
from tesselle.dialects.stablehlo.shape import BroadcastInDimOp, ReshapeOp, TransposeOp
from tesselle.ir.core import TERMINATOR, Block, Op, Region, Value
from tesselle.ir.types import FutureType, TensorType, TokenType, TupleType, Type, shapes_compatible
from tesselle.reference.processes import Process
from tesselle.reference.quantization import is_quantized, run_quantized
from tesselle.reference.registry import REGION_SEMANTICS, SEMANTICS, Array, element_dtype
from tesselle.support.custom_calls import HostFunction
from tesselle.support.diagnostics import InvocationError, Unsupported

_IDENTITY_ON_SCALARS = (BroadcastInDimOp, ReshapeOp, TransposeOp)


class Interpreter:
    """Evaluates functions and regions of a module.

    Values computed by enclosing regions stay visible to the regions inside, as in the IR. An interpreter is a session:
    what one call stores to the module's globals the next one finds there.
    """

    def __init__(
        self,
        module: ModuleOp,
        host_functions: Mapping[str, HostFunction] | None = None,
        process: Process | None = None,
    ) -> None:
        self.module = module
        self.process = process or Process()
        self.host_functions: Mapping[str, HostFunction] = host_functions or {}
        self.functions = {name: op for name, op in module.symbols() if isinstance(op, FuncOp)}
        self.environment: dict[Value, Array] = {}
        self.loop_indices: Sequence[Array] = ()
        self.draws = 0
        self.variables: dict[str, Array] = {}

    def call(self, name: str, args: Sequence[Array]) -> list[Array]:
        """Run the function `name`; InvocationError when there is none or `args` do not fit."""
        function = self.functions.get(name)
        if function is None or function.is_declaration:
            raise InvocationError(f"there is no function @{name}")
        inputs = function.function_type.inputs
        if len(inputs) != len(args):
            raise InvocationError(f"@{name} takes {len(inputs)} arguments, {len(args)} were given")
        for i, (t, a) in enumerate(zip(inputs, args, strict=True)):
            _check(t, a, f"argument {i} of @{name}")
        outer, self.environment = self.environment, {}
        try:
            return self.run_block(function.entry, args)
        finally:
            self.environment = outer

    def run_region(self, region: Region, args: Sequence[Array]) -> list[Array]:
        return self.run_block(region.block, args)

    def run_block(self, block: Block, args: Sequence[Array]) -> list[Array]:
        """Run the operations of `block`; the operands of its terminator."""
        environment = self.environment
        environment.update(zip(block.args, args, strict=True))
        for op in block:
            operands = [environment[v] for v in op.operands]
            if TERMINATOR in op.TRAITS:
                return operands
            results = self.run_op(op, operands)
            for value, result in zip(op.results, results, strict=True):
                _check(value.type, result, f"result of {op.name} at {op.location}")
                environment[value] = result
        return []

    def run_ops(self, ops: Sequence[Op]) -> None:
        """Run operations whose operands are known."""
        for op in ops:
            results = self.run_op(op, [self.environment[v] for v in op.operands])
            self.environment.update(zip(op.results, results, strict=True))

    def run_elementwise(self, block: Block, args: Sequence[Array]) -> list[Array]:
        """Run a block of scalar operations on whole arrays; results broadcast lazily."""
        if any(map(_needs_one_element, block)):
            return self._run_each(block, args)
        environment = self.environment
        environment.update(zip(block.args, args, strict=True))
        for op in block:
            operands = [environment[v] for v in op.operands]
            if TERMINATOR in op.TRAITS:
                return operands
            if isinstance(op, _IDENTITY_ON_SCALARS):
                environment[op.result] = operands[0]
                continue
            results = self._call_elementwise(op, operands) if isinstance(op, CallOp) else self.run_op(op, operands)
            for value, result in zip(op.results, results, strict=True):
                environment[value] = result
        return []

    def _call_elementwise(self, op: CallOp, operands: Sequence[Array]) -> list[Array]:
        function = self.functions[op.callee.root]
        outer, self.environment = self.environment, {}
        try:
            return self.run_elementwise(function.entry, operands)
        finally:
            self.environment = outer

    def _run_each(self, block: Block, args: Sequence[Array]) -> list[Array]:
        """Run a block once for every element: a branch or a loop inside may go another way for each."""
        arrays = np.broadcast_arrays(*args)
        types = [element_dtype(v.type).numpy for v in block.terminator.operands]
        results = [np.empty(arrays[0].shape, t) for t in types]
        for place in np.ndindex(arrays[0].shape):
            for result, value in zip(results, self.run_block(block, [a[place] for a in arrays]), strict=True):
                result[place] = value
        return results

    def run_op(self, op: Op, operands: Sequence[Array]) -> list[Array]:
        """The results of one operation; Unsupported when it has no meaning here."""
        if is_quantized(op):
            return run_quantized(op, operands, self._run_plain)
        return self._run_plain(op, operands)

    def _run_plain(self, op: Op, operands: Sequence[Array]) -> list[Array]:
        """As run_op, for an operation without quantized tensors, or one that moves what they store."""
        cls = type(op)
        pure = SEMANTICS.get(cls)
        if pure is not None:
            out = pure(op, *operands)
        elif cls in REGION_SEMANTICS:
            out = REGION_SEMANTICS[cls](op, self, *operands)
        elif isinstance(op, CallOp):
            out = self.call(op.callee.root, operands)
        else:
            raise Unsupported(f"the reference interpreter has no meaning for {op.name}", op.location, op.name)
        return [np.asarray(r) for r in (out if isinstance(out, tuple | list) else (out,))]


def _needs_one_element(op: Op) -> bool:
    """Whether an operation of a body on scalars makes sense for one element at a time only."""
    is_tensor = any(isinstance(r.type, TensorType) and r.type.rank for r in op.results)
    return op.dialect in ("stablehlo", "chlo") and (bool(op.regions) or is_tensor)


def _check(type: Type, value: Array, what: str) -> None:
    if isinstance(type, TupleType | FutureType | TokenType):
        parts = () if isinstance(type, TokenType) else type.types
        if value.dtype != object or value.shape != (len(parts),):
            raise InvocationError(f"{what} has type {type}, found an array {value.dtype}{list(value.shape)}")
        for i, part in enumerate(parts):
            _check(part, value[i], f"part {i} of {what}")
        return
    dtype = element_dtype(type)
    shape = type.shape if isinstance(type, TensorType) else ()
    if value.dtype != dtype.numpy or not shapes_compatible(shape, value.shape):
        raise InvocationError(f"{what} has type {type}, found an array {value.dtype}{list(value.shape)}")


def interpret(
    module: ModuleOp,
    function_name: str,
    args: Sequence[Array],
    host_functions: Mapping[str, HostFunction] | None = None,
    process: Process | None = None,
) -> list[Array]:
    """The results of a function of `module` on `args` (arrays of the argument types), computed with NumPy.

    Tuples among arguments and results are as `registry.pack` makes them. `host_functions` stand before the registered
    ones for custom calls, by target. `process`: the place in a grid of processes; alone when it is None.
    Errors: InvocationError for wrong arguments, Unsupported for an operation without a meaning.
    """
    with np.errstate(all="ignore"):
        return Interpreter(module, host_functions, process).call(function_name, [np.asarray(a) for a in args])
