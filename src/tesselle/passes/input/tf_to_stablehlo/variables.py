"""Variables: loads and stores of ml_program's globals, and updates of parts of them.

tf.AssignAddVariableOp(%v, %x)   ->   %0 = global_load @v;  global_store @v = %0 + %x
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.ml_program import GlobalLoadConstOp, GlobalLoadOp, GlobalOp, GlobalStoreOp
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.tf import variables as tf
from tesselle.dialects.tf_saved_model import BOUND_INPUT
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.core import BlockArgument, Op, Value
from tesselle.ir.symbols import lookup
from tesselle.ir.types import FunctionType, TensorType
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import TfBuilder
from tesselle.passes.input.tf_to_stablehlo.indexing import gathered, gathered_at, scattered
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.passes.input.tf_to_stablehlo.shape import vector_of
from tesselle.passes.input.tf_to_stablehlo.slicing import with_strided_slice

# ---------------------------------------------------------------------------------------------- globals


def bound_symbol(value: Value) -> SymbolRef | None:
    """What an argument of a function stands for, where it is no argument but a variable or a constant."""
    function = value.block.parent_op if isinstance(value, BlockArgument) else None
    if not isinstance(function, FuncOp) or function.arg_attrs is None or not isinstance(value, BlockArgument):
        return None
    if value.block is not function.entry:
        return None
    found = function.arg_attrs[value.index].get(BOUND_INPUT)
    return found if isinstance(found, SymbolRef) else None


def bind_constants(function: FuncOp) -> None:
    """Arguments that stand for constants: what the globals hold."""
    for arg in function.entry.args:
        symbol = bound_symbol(arg)
        t = arg.type
        if symbol is not None and isinstance(t, TensorType) and not t.dtype.is_opaque and arg.uses:
            b = Builder(function.entry, function.entry.first, arg.location)
            target = lookup(function, symbol)
            mutable = isinstance(target, GlobalOp) and target.is_mutable
            load = GlobalLoadOp(symbol, t) if mutable else GlobalLoadConstOp(symbol, t)
            arg.replace_all_uses_with(b.insert(load).result)


def drop_bound_arguments(function: FuncOp) -> None:
    """Take the arguments that stand for variables and constants out of the function's signature."""
    bound = {arg.index for arg in function.entry.args if bound_symbol(arg) is not None and not arg.uses}
    if not bound:
        return
    t, attrs = function.function_type, function.arg_attrs or ()
    kept = [i for i in range(len(t.inputs)) if i not in bound]
    for i in sorted(bound, reverse=True):
        function.entry.erase_arg(i)
    function.function_type = FunctionType(tuple(t.inputs[i] for i in kept), t.results)
    function.arg_attrs = tuple(attrs[i] for i in kept) if attrs else None


def _symbol(b: TfBuilder, handle: Value) -> SymbolRef:
    """The global that a handle refers to."""
    found = bound_symbol(handle)
    source = handle.defining_op
    if found is None and isinstance(source, tf.VarHandleOp) and source.shared_name:
        found = SymbolRef(source.shared_name)
    if found is None:
        b.unsupported("resource", "which variable this is must be known when the program is compiled")
    target = lookup(b.op_, found)
    if not isinstance(target, GlobalOp):
        b.unsupported("resource", f"there is no variable {found}")
    return found


def _type(b: TfBuilder, handle: Value) -> TensorType:
    target = lookup(b.op_, _symbol(b, handle))
    assert isinstance(target, GlobalOp) and isinstance(target.type, TensorType)
    return target.type


def read(b: TfBuilder, handle: Value) -> Value:
    """What the variable holds."""
    symbol = _symbol(b, handle)
    return b.insert(GlobalLoadOp(symbol, _type(b, handle))).result


def write(b: TfBuilder, handle: Value, value: Value) -> None:
    symbol, t = _symbol(b, handle), _type(b, handle)
    target = lookup(b.op_, symbol)
    assert isinstance(target, GlobalOp)
    if not target.is_mutable:
        b.unsupported("resource", f"{symbol} is constant")
    b.insert(GlobalStoreOp(symbol, b.cast(value, t)))


@lowering(tf.ReadVariableOpOp)
def read_variable(op: tf.ReadVariableOpOp, b: TfBuilder) -> Value:
    return read(b, op.resource)


@lowering(tf.VarIsInitializedOpOp)
def is_initialized(op: tf.VarIsInitializedOpOp, b: TfBuilder) -> Value:
    return b.constant(np.array(True))


@lowering(tf.VariableShapeOp)
def variable_shape(op: tf.VariableShapeOp, b: TfBuilder) -> Value:
    return vector_of(b, b.sizes(read(b, op.input)), op.result_type)


@lowering(tf.DestroyResourceOpOp)
def destroy(op: tf.DestroyResourceOpOp, b: TfBuilder) -> Sequence[Value]:
    return ()


@lowering(tf.AssignVariableOpOp)
def assign(op: tf.AssignVariableOpOp, b: TfBuilder) -> Sequence[Value]:
    write(b, op.resource, op.value)
    return ()


@lowering(tf.AssignAddVariableOpOp, tf.AssignSubVariableOpOp)
def assign_sum(op: tf.AssignBase, b: TfBuilder) -> Sequence[Value]:
    cls = e.AddOp if isinstance(op, tf.AssignAddVariableOpOp) else e.SubtractOp
    write(b, op.resource, b.op(cls, read(b, op.resource), op.value))
    return ()


# ---------------------------------------------------------------------------------------------- parts


@lowering(tf.ResourceGatherOp)
def gather(op: tf.ResourceGatherOp, b: TfBuilder) -> Value:
    return gathered(b, read(b, op.resource), op.indices, op.batch_dims, op.batch_dims)


@lowering(tf.ResourceGatherNdOp)
def gather_nd(op: tf.ResourceGatherNdOp, b: TfBuilder) -> Value:
    return gathered_at(b, read(b, op.resource), op.indices)


_SCATTERS: dict[type[Op], type[Op] | None] = {
    tf.ResourceScatterUpdateOp: None,
    tf.ResourceScatterAddOp: e.AddOp,
    tf.ResourceScatterSubOp: e.SubtractOp,
    tf.ResourceScatterMulOp: e.MultiplyOp,
    tf.ResourceScatterDivOp: e.DivideOp,
    tf.ResourceScatterMinOp: e.MinimumOp,
    tf.ResourceScatterMaxOp: e.MaximumOp,
    tf.ResourceScatterNdUpdateOp: None,
    tf.ResourceScatterNdAddOp: e.AddOp,
    tf.ResourceScatterNdSubOp: e.SubtractOp,
    tf.ResourceScatterNdMinOp: e.MinimumOp,
    tf.ResourceScatterNdMaxOp: e.MaximumOp,
}


@lowering(*(cls for cls in _SCATTERS if issubclass(cls, tf.ResourceScatterOp)))
def scatter(op: tf.ResourceScatterOp, b: TfBuilder) -> Sequence[Value]:
    old = read(b, op.resource)
    updates = op.updates
    if b.rank(updates) == 0 and b.rank(old) + b.rank(op.indices) > 1:
        updates = b.broadcast_to(updates, [*b.sizes(op.indices), *b.sizes(old)[1:]], ())
    positions = b.with_axis(op.indices, b.rank(op.indices))
    write(b, op.resource, _combined(b, old, positions, updates, _SCATTERS[type(op)]))
    return ()


@lowering(*(cls for cls in _SCATTERS if issubclass(cls, tf.ResourceScatterNdOp)))
def scatter_nd(op: tf.ResourceScatterNdOp, b: TfBuilder) -> Sequence[Value]:
    write(b, op.ref, _combined(b, read(b, op.ref), op.indices, op.updates, _SCATTERS[type(op)]))
    return ()


def _combined(b: TfBuilder, old: Value, positions: Value, updates: Value, cls: type[Op] | None) -> Value:
    if cls is e.SubtractOp:
        cls, updates = e.AddOp, b.op(e.NegateOp, updates)
    elif cls is e.DivideOp and b.dtype(old).is_float:
        cls, updates = e.MultiplyOp, (b.tensor(updates).number(1) / b.tensor(updates)).value
    return scattered(b, old, positions, updates, cls)


@lowering(tf.ResourceStridedSliceAssignOp)
def strided_slice_assign(op: tf.ResourceStridedSliceAssignOp, b: TfBuilder) -> Sequence[Value]:
    bounds = (op.begin, op.end, op.strides)
    write(b, op.ref, with_strided_slice(op, b, read(b, op.ref), bounds, op.value))
    return ()


# ---------------------------------------------------------------------------------------------- optimizers


class _Step:
    """The operands of an optimizer's step: what the handles' variables hold, scalars in the variable's shape."""

    def __init__(self, op: tf.ApplyOp, b: TfBuilder) -> None:
        self.op, self.b = op, b
        handles = [v for kind, v in zip(op.ORDER, op.operands, strict=True) if kind == "h"]
        self.handles = handles
        self.old = [b.tensor(read(b, v)) for v in handles]
        sizes = b.sizes(self.old[0].value)
        others = [(kind, v) for kind, v in zip(op.ORDER, op.operands, strict=True) if kind != "h"]
        self.scalars = [b.tensor(b.broadcast_to(v, sizes, ())) for kind, v in others if kind == "s"]
        (self.gradient,) = [b.tensor(v) for kind, v in others if kind == "g"]

    def store(self, *values: Tensor) -> Sequence[Value]:
        """The new values of the first variables."""
        for handle, value in zip(self.handles, values, strict=False):
            write(self.b, handle, value.value)
        return ()


def _root(x: Tensor) -> Tensor:
    return x.apply(e.SqrtOp)


@lowering(tf.ResourceApplyGradientDescentOp)
def gradient_descent(op: tf.ResourceApplyGradientDescentOp, b: TfBuilder) -> Sequence[Value]:
    step = _Step(op, b)
    return step.store(step.old[0] - step.scalars[0] * step.gradient)


@lowering(tf.ResourceApplyMomentumOp)
def momentum(op: tf.ResourceApplyMomentumOp, b: TfBuilder) -> Sequence[Value]:
    step = _Step(op, b)
    (var, accum), (rate, factor), g = step.old, step.scalars, step.gradient
    accum = accum * factor + g
    change = g * rate + accum * factor * rate if op.use_nesterov else accum * rate
    return step.store(var - change, accum)


@lowering(tf.ResourceApplyKerasMomentumOp)
def keras_momentum(op: tf.ResourceApplyKerasMomentumOp, b: TfBuilder) -> Sequence[Value]:
    step = _Step(op, b)
    (var, accum), (rate, factor), g = step.old, step.scalars, step.gradient
    accum = accum * factor - g * rate
    change = accum * factor - g * rate if op.use_nesterov else accum
    return step.store(var + change, accum)


@lowering(tf.ResourceApplyAdamOp)
def adam(op: tf.ResourceApplyAdamOp, b: TfBuilder) -> Sequence[Value]:
    step = _Step(op, b)
    var, m, v = step.old
    power1, power2, rate, beta1, beta2, epsilon = step.scalars
    g = step.gradient
    one = var.number(1)
    alpha = rate * _root(one - power2) / (one - power1)
    m = m + (g - m) * (one - beta1)
    v = v + (g * g - v) * (one - beta2)
    top = m * beta1 + g * (one - beta1) if op.use_nesterov else m
    return step.store(var - top * alpha / (_root(v) + epsilon), m, v)


@lowering(tf.ResourceApplyAdaMaxOp)
def ada_max(op: tf.ResourceApplyAdaMaxOp, b: TfBuilder) -> Sequence[Value]:
    step = _Step(op, b)
    var, m, v = step.old
    power1, rate, beta1, beta2, epsilon = step.scalars
    g = step.gradient
    one = var.number(1)
    m = m + (g - m) * (one - beta1)
    v = (v * beta2).apply(e.MaximumOp, g.apply(e.AbsOp))
    return step.store(var - rate / (one - power1) * (m / (v + epsilon)), m, v)


@lowering(tf.ResourceApplyRMSPropOp)
def rms_prop(op: tf.ResourceApplyRMSPropOp, b: TfBuilder) -> Sequence[Value]:
    step = _Step(op, b)
    (var, ms, mom), (rate, rho, factor, epsilon), g = step.old, step.scalars, step.gradient
    ms = ms + (g * g - ms) * (ms.number(1) - rho)
    mom = mom * factor + g * rate / _root(ms + epsilon)
    return step.store(var - mom, ms, mom)


@lowering(tf.ResourceApplyCenteredRMSPropOp)
def centered_rms_prop(op: tf.ResourceApplyCenteredRMSPropOp, b: TfBuilder) -> Sequence[Value]:
    step = _Step(op, b)
    (var, mg, ms, mom), (rate, rho, factor, epsilon), g = step.old, step.scalars, step.gradient
    rest = ms.number(1) - rho
    ms = ms + (g * g - ms) * rest
    mg = mg + (g - mg) * rest
    mom = mom * factor + g * rate / _root(ms - mg * mg + epsilon)
    return step.store(var - mom, mg, ms, mom)


@lowering(tf.ResourceApplyAdagradOp, tf.ResourceApplyAdagradV2Op)
def adagrad(op: tf.ResourceApplyAdagradOp | tf.ResourceApplyAdagradV2Op, b: TfBuilder) -> Sequence[Value]:
    step = _Step(op, b)
    (var, accum), g = step.old, step.gradient
    if op.update_slots:
        accum = accum + g * g
    divisor = _root(accum)
    if len(step.scalars) == 2:
        divisor = divisor + step.scalars[1]
    return step.store(var - g * step.scalars[0] / divisor, accum)


@lowering(tf.ResourceApplyAdadeltaOp)
def adadelta(op: tf.ResourceApplyAdadeltaOp, b: TfBuilder) -> Sequence[Value]:
    step = _Step(op, b)
    (var, accum, updates), (rate, rho, epsilon), g = step.old, step.scalars, step.gradient
    rest = var.number(1) - rho
    accum = accum * rho + g * g * rest
    update = _root(updates + epsilon) / _root(accum + epsilon) * g
    return step.store(var - update * rate, accum, updates * rho + update * update * rest)
