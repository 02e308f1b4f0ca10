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
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo.control_flow import ReturnOp, WhileOp
from tesselle.dialects.tf.control_flow import StringFormatOp
from tesselle.dialects.tf.lists import TensorListGetItemOp, TensorListPopBackOp, is_list
from tesselle.dialects.tf.shape import BroadcastGradientArgsOp, ConstOp, IdentityNOp, IdentityOp
from tesselle.dialects.tf.variables import VarHandleOp
from tesselle.dialects.tf_saved_model import BOUND_INPUT, UNSUPPORTED
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.types import FunctionType, Type, UnrankedTensorType, types_compatible
from tesselle.ir.verify import has_unranked
from tesselle.passes.input.known_sizes import build
from tesselle.passes.input.tensor_lists import ListSizes, Webs, known_element
from tesselle.passes.input.tf_to_stablehlo import LOWERINGS, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.advice import moves_strings, not_supported
from tesselle.passes.input.tf_to_stablehlo.ranks import give_ranks
from tesselle.passes.input.tf_to_stablehlo.results import as_declared, cast
from tesselle.passes.input.tf_to_stablehlo.shape import vector_of
from tesselle.passes.input.tf_to_stablehlo.variables import bind_constants, drop_bound_arguments
from tesselle.support.diagnostics import Diagnostic, TesselleError, Unsupported


@register_pass("convert-tf-to-stablehlo")
@dataclass(frozen=True)
class ConvertTfToStablehlo(Pass):
    """Replace operations of `tf` by StableHLO and CHLO.

    Errors: Unsupported, with every operation that is, and what the importer has found in the model (`UNSUPPORTED`).
    """

    def run(self, module: Op) -> None:
        found = module.attributes.pop(UNSUPPORTED, ())
        texts = found if isinstance(found, tuple) else (found,)
        findings = [Diagnostic(str(text), rule="tensorflow.export") for text in texts]
        functions = [op for op in module.walk() if isinstance(op, FuncOp) and _is_of_tensorflow(op)]
        webs = Webs(module)
        conversion = _Conversion(webs, ListSizes(webs))
        for function in functions:
            bind_constants(function)
            for block in function.body.blocks:
                conversion.block(block)
        for op in conversion.deferred:
            if any(r.uses for r in op.results):
                conversion.missing.append(op)
            else:
                op.erase()
        findings += not_supported(conversion.missing) + conversion.failures
        # Where something is not supported at all, ranks may be unknown for that reason alone.
        findings = findings or conversion.unknown_ranks
        if findings:
            raise _report(findings, functions)
        for function in functions:
            eliminate_dead_code(function)
            drop_bound_arguments(function)


def _report(findings: list[Diagnostic], functions: list[FuncOp]) -> TesselleError:
    error = Unsupported.several(findings)
    if sum(f.is_public for f in functions) > 1:
        error.add_note_at("functions that are not needed can be left out: name the others with --functions")
    return error


def _is_of_tensorflow(function: FuncOp) -> bool:
    bound = any(BOUND_INPUT in attributes for attributes in function.arg_attrs or ())
    return not function.is_declaration and (bound or any(op.dialect == "tf" for op in function.walk()))


@dataclass
class _Conversion:
    webs: Webs
    known: ListSizes
    failures: list[Diagnostic] = field(default_factory=list[Diagnostic])
    unknown_ranks: list[Diagnostic] = field(default_factory=list[Diagnostic])
    missing: list[Op] = field(default_factory=list[Op])
    """Operations that have no lowering."""
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
            if isinstance(op, WhileOp):
                self.known.forget()  # what an iteration does is known now
            if isinstance(op, FuncReturnOp):
                _give_result_types(op)
            if isinstance(op, FuncReturnOp | ReturnOp):
                _cast_operands(op, _expected_types(op))

    def _list(self, op: Op) -> None:
        """Operations on lists stay; an element that is the same wherever it was put in is known here already."""
        if isinstance(op, TensorListPopBackOp | TensorListGetItemOp):
            element = op.results[-1]
            found = known_element(self.webs, self.known, op, element) if element.uses else None
            if isinstance(found, Value):
                element.replace_all_uses_with(as_declared(op, element.type, found))
            elif found is not None:
                b = TfBuilder(op, self.known)
                t = tensor_type(element)
                vector = vector_of(b, [build(b, n) for n in found], t)
                element.replace_all_uses_with(vector if t.rank else b.reshape(vector, ()))

    def _lower(self, op: Op) -> None:
        if any(map(is_list, (*op.operands, *op.results))) and not isinstance(op, IdentityOp | IdentityNOp):
            self._list(op)
            return
        if isinstance(op, _DEFERRED) or (isinstance(op, ConstOp) and not isinstance(op.value, DenseElements)):
            self.deferred.append(op)
            return
        function = LOWERINGS.get(type(op))
        # Assertions and prints take strings and give nothing; their texts are known.
        if function is None or (op.results and moves_strings(op)):
            self.missing.append(op)
            return
        if has_unranked(op):
            known = not any(isinstance(v.type, UnrankedTensorType) for v in op.operands) and give_ranks(op)
            if not known:
                text = f"{op.name} of tensors whose rank is not known is not supported"
                self.unknown_ranks.append(Diagnostic(text, op.location, f"{op.name}.rank"))
                return
            op.verify_types()
            op.check()
        try:
            result = function(op, TfBuilder(op, self.known))
        except Unsupported as error:
            self.failures.extend(error.diagnostics)
            return
        values = (result,) if isinstance(result, Value) else tuple(result)
        op.replace_with([as_declared(op, r.type, v) for r, v in zip(op.results, values, strict=True)])


_DEFERRED = (BroadcastGradientArgsOp, StringFormatOp, VarHandleOp)


def _cast_operands(op: Op, types: list[Type]) -> None:
    """Functions, loops and branches state their types: operands of which more is known go through a cast."""
    b = Builder.before_op(op)
    for i, (v, t) in enumerate(zip(op.operands, types, strict=False)):
        if v.type != t and types_compatible(v.type, t):
            op.set_operand(i, cast(b, v, t))


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
