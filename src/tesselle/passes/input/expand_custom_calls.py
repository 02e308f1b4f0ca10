"""expand-custom-calls: custom calls become the operations that they stand for; the rest must be known to the host.

custom_call @mhlo.erf(x)                -> chlo.erf(x)      every expansion that is registered
custom_call @lapack_sgetrf_ffi(x)       stays: a function of the host runs it
custom_call @shape_assertion(c, …)      stays: a check; so does @stablehlo.dynamic_reduce_window, see expand-windows
custom_call @anything(x, token)         -> custom_call @anything(x), the token handed on
%t = custom_call @f(x) : tuple<a, b>    -> %0:2 = custom_call @f(x); %t = tuple %0#0, %0#1
custom_call @f(x), its results unused   -> removed, unless it has a side effect
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import func
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.stablehlo import custom_calls
from tesselle.dialects.stablehlo.control_flow import CustomCallOp, TupleOp
from tesselle.dialects.stablehlo.tokens import CreateTokenOp
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import Rewriter
from tesselle.ir.types import TensorType, TokenType, TupleType, Type
from tesselle.support.custom_calls import host_function, how_to_register
from tesselle.support.diagnostics import Diagnostic, Unsupported

_OTHER_DEVICES = ("tpu_custom_call", "mosaic", "triton", "__gpu$", "__cu", "cu", "hip", "xla.gpu")
"""How the names begin of calls that hold code for GPUs and TPUs."""

_CALLBACKS = ("xla_python", "xla_ffi_python", "xla_ffi_partitioned_python")
"""How the names begin of calls back into the process that traced the program."""


@register_pass("expand-custom-calls")
@dataclass(frozen=True)
class ExpandCustomCalls(Pass):
    """Expand custom calls. `known`: targets that the process which loads the artifact will have registered.

    Errors: Unsupported for every call that is neither expanded, nor registered, nor in `known`.
    """

    known: tuple[str, ...] = ()

    def run(self, module: Op) -> None:
        calls = [op for op in module.walk() if isinstance(op, CustomCallOp)]
        if not calls:
            return
        computations = {
            name.root
            for op in calls
            for name in op.called_computations
            if op.call_target_name not in custom_calls.CHECKED_LATER
        }
        failures: list[Diagnostic] = []
        for op in reversed(calls):  # users first: what they leave unused goes with them
            try:
                self._visit(op)
            except Unsupported as error:
                failures.extend(error.diagnostics)
        if failures:
            raise Unsupported.several(failures[::-1])
        _erase_computations(module, computations)

    def _visit(self, op: CustomCallOp) -> None:
        if op.call_target_name in custom_calls.CHECKED_LATER:
            return
        if not op.has_side_effect and not any(r.uses for r in op.results) and op.results:
            op.erase()
            return
        rw = Rewriter(op)
        values = custom_calls.expand(op, rw)
        if values is not None:
            op.replace_with(values)
            return
        op = _without_tokens_and_tuples(op, rw)
        target = op.call_target_name
        if target not in self.known and host_function(target) is None:
            raise Unsupported(_why_not(target), op.location, op.name)
        if op.called_computations:
            text = f"@{target} runs on the host, which cannot call the computations that it names"
            raise Unsupported(text, op.location, op.name)


def _why_not(target: str) -> str:
    if target.startswith(_CALLBACKS):
        return f"@{target} calls back into the process that traced the program, which an artifact outlives"
    if target.startswith(_OTHER_DEVICES):
        return f"@{target} is code for a GPU or TPU"
    return (
        f"custom call @{target} is not known: {how_to_register(target)}; where only the process that loads the"
        f" artifact registers it, compile with custom_calls=('{target}',) (--custom-calls {target})"
    )


def _without_tokens_and_tuples(op: CustomCallOp, rw: Rewriter) -> CustomCallOp:
    """The call on tensors alone. Order is kept by the side effect itself, parts of tuples are results of their own."""
    types: list[Type] = []
    for t in op.result_types:
        types.extend(t.types if isinstance(t, TupleType) else (t,))
    tokens = [v for v in op.inputs if isinstance(v.type, TokenType)]
    if not tokens and types == list(op.result_types) and not any(isinstance(t, TokenType) for t in types):
        return op
    inputs = [v for v in op.inputs if not isinstance(v.type, TokenType)]
    kept = [t for t in types if not isinstance(t, TokenType)]
    if not all(isinstance(t, TensorType) for t in (*(v.type for v in inputs), *kept)):
        raise Unsupported(f"@{op.call_target_name} with tuples as operands, or in tuples", op.location, op.name)
    new = CustomCallOp.build(inputs, kept, op.attributes)
    if tokens or len(kept) != len(types):  # layouts of tokens would have to go too; those of tensors are row-major then
        for name in ("operand_layouts", "result_layouts"):
            new.attributes.pop(name, None)
    rw.insert(new)
    rest = iter(new.results)

    def value(t: Type) -> Value:
        if isinstance(t, TokenType):
            return tokens[0] if tokens else rw.insert(CreateTokenOp()).result
        return next(rest)

    values: list[Value] = []
    for t in op.result_types:
        if isinstance(t, TupleType):
            values.append(rw.insert(TupleOp([value(part) for part in t.types])).result)
        else:
            values.append(value(t))
    op.replace_with(values)
    return new


def _erase_computations(module: Op, computations: set[str]) -> None:
    """Functions that only custom calls named; inlining has left them. JAX writes some as public, but no entry ends in
    stablehlo.return.
    """
    functions = [op for region in module.regions for block in region.blocks for op in block if isinstance(op, FuncOp)]
    for f in functions:
        if f.sym_name in computations and not (f.is_public and isinstance(f.body.blocks[0].last, func.ReturnOp)):
            f.erase()
