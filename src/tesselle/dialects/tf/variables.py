"""Operations on variables: reading, writing, and updating parts of them."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import INTEGER, numbers, require_rank
from tesselle.dialects.tf.indexing import require_positions
from tesselle.dialects.tf.slicing import StridedOp
from tesselle.dialects.tf_type.types import ResourceType
from tesselle.ir.core import Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def, variadic_def
from tesselle.ir.types import TensorType, Type
from tesselle.support.dtypes import I1, DType


def resource_dtype(op_: Op, value: Value, label: str = "resource") -> DType | None:
    """The element type of the variable that a handle refers to, where the handle says it; fails for other values."""
    t = value.type
    if not isinstance(t, TensorType) or not isinstance(t.dtype, ResourceType):
        op_.fail(label, f"expected the handle of a variable, found {t}")
    assert isinstance(t, TensorType) and isinstance(t.dtype, ResourceType)
    return t.dtype.subtypes[0].dtype if t.dtype.subtypes else None


def require_dtype(op_: Op, dtype: DType | None, value: Value, label: str) -> TensorType:
    """The type of a tensor whose element type is the variable's."""
    t = numbers(op_, value, label)
    op_.require(dtype is None or t.dtype is dtype, label, f"the variable has element type {dtype}, found {t}")
    return t


@op("tf.VarHandleOp")
class VarHandleOp(Op):
    """The handle of the variable named shared_name. Errors: result."""

    result_type: TensorType = result_type_def()
    shared_name: str = attr_def(default="")
    container: str = attr_def(default="")

    def check(self) -> None:
        resource_dtype(self, self.results[0], "result")


@op("tf.ReadVariableOp")
class ReadVariableOpOp(Op):
    """What the variable holds. Errors: resource, result."""

    resource: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_dtype(self, resource_dtype(self, self.resource), self.results[0], "result")


@op("tf.VarIsInitializedOp")
class VarIsInitializedOpOp(Op):
    """Whether the variable holds something: variables of a session always do. Errors: resource."""

    resource: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        resource_dtype(self, self.resource)
        return (TensorType((), I1),)


@op("tf.VariableShape")
class VariableShapeOp(Op):
    """The shape of what the variable holds. Errors: input, result."""

    input: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        resource_dtype(self, self.input, "input")
        require_rank(self, numbers(self, self.results[0], "result", INTEGER), 1, "result")


@op("tf.DestroyResourceOp")
class DestroyResourceOpOp(Op):
    """The variable is not used any more: nothing to do."""

    resource: Value = operand_def()


@op_base
class AssignBase(Op):
    """An update with a value of the variable's shape. Errors: resource, value."""

    resource: Value = operand_def()
    value: Value = operand_def()

    def check(self) -> None:
        require_dtype(self, resource_dtype(self, self.resource), self.value, "value")


@op("tf.AssignVariableOp")
class AssignVariableOpOp(AssignBase):
    """variable = value."""


@op("tf.AssignAddVariableOp")
class AssignAddVariableOpOp(AssignBase):
    """variable += value."""


@op("tf.AssignSubVariableOp")
class AssignSubVariableOpOp(AssignBase):
    """variable -= value."""


# ---------------------------------------------------------------------------------------------- parts


@op("tf.ResourceGather")
class ResourceGatherOp(Op):
    """variable[indices], with batch_dims common dimensions. Errors: resource, indices, result."""

    resource: Value = operand_def()
    indices: Value = operand_def()
    result_type: TensorType = result_type_def()
    batch_dims: int = attr_def(default=0)

    def check(self) -> None:
        dtype = resource_dtype(self, self.resource)
        i = numbers(self, self.indices, "indices", INTEGER)
        self.require(0 <= self.batch_dims <= i.rank, "indices", f"batch_dims {self.batch_dims} lies outside of {i}")
        require_dtype(self, dtype, self.results[0], "result")


@op("tf.ResourceGatherNd")
class ResourceGatherNdOp(Op):
    """variable[indices[…, :]]. Errors: resource, indices, result."""

    resource: Value = operand_def()
    indices: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        dtype = resource_dtype(self, self.resource)
        numbers(self, self.indices, "indices", INTEGER)
        require_dtype(self, dtype, self.results[0], "result")


@op_base
class ResourceScatterOp(Op):
    """variable[indices] combined with the updates, along the first dimension. Errors: resource, indices, updates."""

    resource: Value = operand_def()
    indices: Value = operand_def()
    updates: Value = operand_def()

    def check(self) -> None:
        dtype = resource_dtype(self, self.resource)
        numbers(self, self.indices, "indices", INTEGER)
        require_dtype(self, dtype, self.updates, "updates")


@op("tf.ResourceScatterUpdate")
class ResourceScatterUpdateOp(ResourceScatterOp):
    """variable[indices] = updates."""


@op("tf.ResourceScatterAdd")
class ResourceScatterAddOp(ResourceScatterOp):
    """variable[indices] += updates."""


@op("tf.ResourceScatterSub")
class ResourceScatterSubOp(ResourceScatterOp):
    """variable[indices] -= updates."""


@op("tf.ResourceScatterMul")
class ResourceScatterMulOp(ResourceScatterOp):
    """variable[indices] *= updates."""


@op("tf.ResourceScatterDiv")
class ResourceScatterDivOp(ResourceScatterOp):
    """variable[indices] /= updates."""


@op("tf.ResourceScatterMin")
class ResourceScatterMinOp(ResourceScatterOp):
    """variable[indices] = min(variable[indices], updates)."""


@op("tf.ResourceScatterMax")
class ResourceScatterMaxOp(ResourceScatterOp):
    """variable[indices] = max(variable[indices], updates)."""


@op_base
class ResourceScatterNdOp(Op):
    """variable[indices[…, :]] combined with the updates. Errors: ref, indices, updates."""

    ref: Value = operand_def()
    indices: Value = operand_def()
    updates: Value = operand_def()

    def check(self) -> None:
        dtype = resource_dtype(self, self.ref, "ref")
        i = numbers(self, self.indices, "indices", INTEGER)
        require_positions(self, i, 1 << 30)
        require_dtype(self, dtype, self.updates, "updates")


@op("tf.ResourceScatterNdUpdate")
class ResourceScatterNdUpdateOp(ResourceScatterNdOp):
    """variable[indices[…, :]] = updates."""


@op("tf.ResourceScatterNdAdd")
class ResourceScatterNdAddOp(ResourceScatterNdOp):
    """variable[indices[…, :]] += updates."""


@op("tf.ResourceScatterNdSub")
class ResourceScatterNdSubOp(ResourceScatterNdOp):
    """variable[indices[…, :]] -= updates."""


@op("tf.ResourceScatterNdMin")
class ResourceScatterNdMinOp(ResourceScatterNdOp):
    """variable[indices[…, :]] = min(variable[…], updates)."""


@op("tf.ResourceScatterNdMax")
class ResourceScatterNdMaxOp(ResourceScatterNdOp):
    """variable[indices[…, :]] = max(variable[…], updates)."""


@op("tf.ResourceStridedSliceAssign")
class ResourceStridedSliceAssignOp(StridedOp):
    """variable[begin:end:strides] = value. Errors: ref, begin, end, strides, value."""

    ref: Value = operand_def()
    begin: Value = operand_def()
    end: Value = operand_def()
    strides: Value = operand_def()
    value: Value = operand_def()

    def check(self) -> None:
        dtype = resource_dtype(self, self.ref, "ref")
        self.check_bounds(self.begin, self.end, self.strides)
        require_dtype(self, dtype, self.value, "value")


# ---------------------------------------------------------------------------------------------- optimizers


@op_base
class ApplyOp(Op):
    """A step of an optimizer: handles of the variable and of its slots, scalars, and the gradient.

    Errors: operands (number and types).
    """

    ORDER = ""
    """Operands in TensorFlow's order: h a handle, s a scalar, g the gradient."""

    all_operands: Sequence[Value] = variadic_def()

    def check(self) -> None:
        order = self.ORDER
        self.require(len(self.operands) == len(order), "operands", f"expected {len(order)} operands")
        dtype = resource_dtype(self, self.operands[0], "operands")
        for kind, v in zip(order, self.operands, strict=True):
            if kind == "h":
                resource_dtype(self, v, "operands")
            else:
                t = require_dtype(self, dtype, v, "operands")
                self.require(kind != "s" or t.rank == 0, "operands", f"expected a scalar, found {t}")


@op("tf.ResourceApplyGradientDescent")
class ResourceApplyGradientDescentOp(ApplyOp):
    """var -= alpha delta. Operands: var, alpha, delta."""

    ORDER = "hsg"


@op("tf.ResourceApplyMomentum")
class ResourceApplyMomentumOp(ApplyOp):
    """accum = momentum accum + grad; var -= lr accum. Operands: var, accum, lr, grad, momentum."""

    ORDER = "hhsgs"
    use_nesterov: bool = attr_def(default=False)


@op("tf.ResourceApplyKerasMomentum")
class ResourceApplyKerasMomentumOp(ApplyOp):
    """accum = momentum accum - lr grad; var += accum. Operands: var, accum, lr, grad, momentum."""

    ORDER = "hhsgs"
    use_nesterov: bool = attr_def(default=False)


@op("tf.ResourceApplyAdam")
class ResourceApplyAdamOp(ApplyOp):
    """m, v: running means of grad and grad²; var -= lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) m / (√v + ε).

    Operands: var, m, v, beta1_power, beta2_power, lr, beta1, beta2, epsilon, grad.
    """

    ORDER = "hhhssssssg"
    use_nesterov: bool = attr_def(default=False)


@op("tf.ResourceApplyAdaMax")
class ResourceApplyAdaMaxOp(ApplyOp):
    """m: running mean of grad; v = max(β₂ v, |grad|); var -= lr / (1 - β₁ᵗ) m / (v + ε).

    Operands: var, m, v, beta1_power, lr, beta1, beta2, epsilon, grad.
    """

    ORDER = "hhhsssssg"


@op("tf.ResourceApplyRMSProp")
class ResourceApplyRMSPropOp(ApplyOp):
    """ms: running mean of grad²; mom = momentum mom + lr grad / √(ms + ε); var -= mom.

    Operands: var, ms, mom, lr, rho, momentum, epsilon, grad.
    """

    ORDER = "hhhssssg"


@op("tf.ResourceApplyCenteredRMSProp")
class ResourceApplyCenteredRMSPropOp(ApplyOp):
    """As RMSProp, with the variance ms - mg² in place of ms.

    Operands: var, mg, ms, mom, lr, rho, momentum, epsilon, grad.
    """

    ORDER = "hhhhssssg"


@op("tf.ResourceApplyAdagrad")
class ResourceApplyAdagradOp(ApplyOp):
    """accum += grad²; var -= lr grad / √accum. Operands: var, accum, lr, grad."""

    ORDER = "hhsg"
    update_slots: bool = attr_def(default=True)


@op("tf.ResourceApplyAdagradV2")
class ResourceApplyAdagradV2Op(ApplyOp):
    """accum += grad²; var -= lr grad / (√accum + ε). Operands: var, accum, lr, epsilon, grad."""

    ORDER = "hhssg"
    update_slots: bool = attr_def(default=True)


@op("tf.ResourceApplyAdadelta")
class ResourceApplyAdadeltaOp(ApplyOp):
    """accum: running mean of grad²; update = √(accum_update + ε) / √(accum + ε) grad; var -= lr update.

    accum_update: running mean of update². Operands: var, accum, accum_update, lr, rho, epsilon, grad.
    """

    ORDER = "hhhsssg"
