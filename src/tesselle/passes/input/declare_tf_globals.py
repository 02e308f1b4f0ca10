"""declare-tf-globals: variables and constants of a SavedModel become globals.

"tf_saved_model.global_tensor"() <{is_mutable, sym_name = "v", type = tensor<4xf32>, value = dense<0.0> …}>
->  ml_program.global private mutable @v(dense<0.0> : tensor<4xf32>) : tensor<4xf32>
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core.ml_program import GlobalOp
from tesselle.dialects.tf_saved_model import GlobalTensorOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op
from tesselle.ir.passes import Pass, register_pass


@register_pass("declare-tf-globals")
@dataclass(frozen=True)
class DeclareTfGlobals(Pass):
    """Replace `tf_saved_model.global_tensor` by `ml_program.global`."""

    def run(self, module: Op) -> None:
        for block in module.regions[0].blocks:
            for op in block:
                if isinstance(op, GlobalTensorOp):
                    new = GlobalOp(op.sym_name, op.type, bool(op.is_mutable), op.value, "private")
                    Builder.before_op(op).insert(new)
                    op.erase()
