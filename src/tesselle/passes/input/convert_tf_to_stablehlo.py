"""convert-tf-to-stablehlo: every TensorFlow operation by its lowering.

%s = tf.Shape %x : tensor<?x4xf32> -> tensor<2xi32>        %n = get_dimension_size %x, dim = 0
%r = tf.Reshape %x, dense<[-1, 2]> : tensor<?x2xf32>       %m = n * 4 / 2
                                                           %r = dynamic_reshape %x, (%m, 2) : tensor<?x2xf32>

Shapes may be dynamic: what is known of a size is a number in a type, the rest is arithmetic on tensors of rank 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.core.func import ReturnOp as FuncReturnOp
from tesselle.dialects.core.tensor import CastOp
from tesselle.dialects.stablehlo.control_flow import ReturnOp, WhileOp
from tesselle.dialects.tf.control_flow import StringFormatOp
from tesselle.dialects.tf.shape import BroadcastGradientArgsOp, ConstOp
from tesselle.dialects.tf.variables import VarHandleOp
from tesselle.dialects.tf_saved_model import BOUND_INPUT
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.types import FunctionType, TensorType, Type, UnrankedTensorType, types_compatible
from tesselle.ir.verify import has_unranked
from tesselle.passes.input.known_sizes import KnownSizes
from tesselle.passes.input.tf_to_stablehlo import LOWERINGS, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.ranks import give_ranks
from tesselle.passes.input.tf_to_stablehlo.variables import bind_constants, drop_bound_arguments
from tesselle.support.diagnostics import Diagnostic, Unsupported, VerifyError


@register_pass("convert-tf-to-stablehlo")
@dataclass(frozen=True)
class ConvertTfToStablehlo(Pass):
    """Replace operations of `tf` by StableHLO and CHLO. Errors: Unsupported, with every operation that is."""

    def run(self, module: Op) -> None:
        functions = [op for op in module.walk() if isinstance(op, FuncOp) and _is_of_tensorflow(op)]
        conversion = _Conversion()
        for function in functions:
            bind_constants(function)
            for block in function.body.blocks:
                conversion.block(block)
        for op in conversion.deferred:
            if any(r.uses for r in op.results):
                conversion.failures.append(_not_supported(op))
            else:
                op.erase()
        if conversion.failures:
            raise Unsupported.several(conversion.failures)
        for function in functions:
            eliminate_dead_code(function)
            drop_bound_arguments(function)


def _is_of_tensorflow(function: FuncOp) -> bool:
    bound = any(BOUND_INPUT in attributes for attributes in function.arg_attrs or ())
    return not function.is_declaration and (bound or any(op.dialect == "tf" for op in function.walk()))


@dataclass
class _Conversion:
    known: KnownSizes = field(default_factory=KnownSizes)
    failures: list[Diagnostic] = field(default_factory=list[Diagnostic])
    deferred: list[Op] = field(default_factory=list[Op])
    """Operations whose users look at them and take their place, or leave nothing behind."""

    def block(self, block: Block) -> None:
        for op in block.ops:
            if op.dialect == "tf":
                self._lower(op)
                continue
            if isinstance(op, WhileOp) and op.body.blocks:
                _cast_operands(op, [a.type for a in op.body.blocks[0].args])
            for region in op.regions:
                for inner in region.blocks:
                    self.block(inner)
            if isinstance(op, FuncReturnOp):
                _give_result_types(op)
            if isinstance(op, FuncReturnOp | ReturnOp):
                _cast_operands(op, _expected_types(op))

    def _lower(self, op: Op) -> None:
        if isinstance(op, _DEFERRED) or (isinstance(op, ConstOp) and not isinstance(op.value, DenseElements)):
            self.deferred.append(op)
            return
        function = LOWERINGS.get(type(op))
        if function is None:
            self.failures.append(_not_supported(op))
            return
        if has_unranked(op):
            known = not any(isinstance(v.type, UnrankedTensorType) for v in op.operands) and give_ranks(op)
            if not known:
                text = f"{op.name} of tensors whose rank is not known is not supported"
                self.failures.append(Diagnostic(text, op.location, f"{op.name}.rank"))
                return
            op.verify_types()
            op.check()
        try:
            result = function(op, TfBuilder(op, self.known))
        except Unsupported as error:
            self.failures.extend(error.diagnostics)
            return
        values = (result,) if isinstance(result, Value) else tuple(result)
        op.replace_with([_as_declared(op, r.type, v) for r, v in zip(op.results, values, strict=True)])


_DEFERRED = (BroadcastGradientArgsOp, StringFormatOp, VarHandleOp)


def _not_supported(op: Op) -> Diagnostic:
    return Diagnostic(f"{op.name} is not supported", op.location, op.name)


def _as_declared(op: Op, declared: Type, value: Value) -> Value:
    """The value, under a type that says all that is known: by the program and by what was built."""
    found = value.type
    if found == declared:
        return value
    if not isinstance(found, TensorType) or not isinstance(declared, TensorType):
        return value
    if not types_compatible(found, declared):
        raise VerifyError(
            f"the result is declared {declared}, its operands give {found}", op.location, f"{op.name}.result"
        )
    sizes = [a if a is not None else b for a, b in zip(found.shape, declared.shape, strict=True)]
    return _cast(Builder.before_op(op), value, found.with_shape(sizes))


def _cast(b: Builder, value: Value, t: Type) -> Value:
    if value.type == t or not isinstance(t, TensorType):
        return value
    return b.insert(CastOp(value, t)).result


def _cast_operands(op: Op, types: list[Type]) -> None:
    """Functions, loops and branches state their types: operands of which more is known go through a cast."""
    b = Builder.before_op(op)
    for i, (v, t) in enumerate(zip(op.operands, types, strict=False)):
        if v.type != t and types_compatible(v.type, t):
            op.set_operand(i, _cast(b, v, t))


def _give_result_types(op: FuncReturnOp) -> None:
    """Results without a rank have the types that are known by now."""
    function = op.parent_op
    if not isinstance(function, FuncOp):
        return
    t = function.function_type
    if any(isinstance(r, UnrankedTensorType) for r in t.results):
        results = [
            v.type if isinstance(r, UnrankedTensorType) else r for v, r in zip(op.operands, t.results, strict=True)
        ]
        function.function_type = FunctionType(t.inputs, tuple(results))


def _expected_types(op: Op) -> list[Type]:
    parent = op.parent_op
    if isinstance(parent, FuncOp):
        return list(parent.function_type.results)
    if isinstance(parent, WhileOp) and op.parent_region is parent.body:
        return [a.type for a in parent.body.block.args]
    return list(parent.result_types) if parent is not None and parent.name in ("stablehlo.if", "stablehlo.case") else []
