"""freeze-globals: variables that the program never changes become constants.

    ml_program.global private mutable @w(…) : T {tesselle.constant_unless_stored}
->  ml_program.global private @w(…) : T                              where no ml_program.global_store names @w

Sources in which everything is a variable, such as SavedModels, mark theirs; all other variables stay, as a session may
be given new values for them. What is constant can be folded, and packed into the layout that kernels read.
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import builtin, ml_program
from tesselle.dialects.core.ml_program import CONSTANT_UNLESS_STORED
from tesselle.ir.core import Op
from tesselle.ir.passes import Pass, register_pass


@register_pass("freeze-globals")
@dataclass(frozen=True)
class FreezeGlobals(Pass):
    """Make globals constant. Those without a value stay variables."""

    def run(self, module: Op) -> None:
        assert isinstance(module, builtin.ModuleOp)
        marked = [g for g in ml_program.globals_of(module) if CONSTANT_UNLESS_STORED in g.attributes]
        if not marked:
            return
        stored = {op.global_.root for op in module.walk() if isinstance(op, ml_program.GlobalStoreOp)}
        for variable in marked:
            del variable.attributes[CONSTANT_UNLESS_STORED]
            if variable.sym_name not in stored and variable.value is not None:
                variable.is_mutable = False
