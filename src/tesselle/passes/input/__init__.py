"""Input: a program as its producer wrote it becomes StableHLO without calls, composites and tuples."""

from tesselle.ir.passes import Pass
from tesselle.passes.input.convert_tf_to_stablehlo import ConvertTfToStablehlo
from tesselle.passes.input.create_initializer import CreateInitializer
from tesselle.passes.input.declare_tf_globals import DeclareTfGlobals
from tesselle.passes.input.drop_shardings import DropShardings
from tesselle.passes.input.expand_checks import ExpandChecks
from tesselle.passes.input.expand_chlo import ExpandChlo
from tesselle.passes.input.expand_collectives import ExpandCollectives
from tesselle.passes.input.expand_custom_calls import ExpandCustomCalls
from tesselle.passes.input.expand_einsum import ExpandEinsum
from tesselle.passes.input.expand_fft import ExpandFft
from tesselle.passes.input.expand_linear_algebra import ExpandLinearAlgebra
from tesselle.passes.input.expand_quantized import ExpandQuantized
from tesselle.passes.input.expand_rng import ExpandRng
from tesselle.passes.input.expand_windows import ExpandWindows
from tesselle.passes.input.flatten_tuples import FlattenTuples
from tesselle.passes.input.freeze_globals import FreezeGlobals
from tesselle.passes.input.inline_calls import InlineCalls
from tesselle.passes.input.lower_tf_control_flow import LowerTfControlFlow
from tesselle.passes.input.promote_globals import PromoteGlobals
from tesselle.passes.input.refine_shapes import RefineShapes
from tesselle.passes.input.simplify_stablehlo import SimplifyStablehlo


def input_passes(custom_calls: tuple[str, ...] = ()) -> tuple[Pass, ...]:
    """The passes in order. `custom_calls`: targets that the process which loads the artifact registers."""
    return (
        DeclareTfGlobals(),
        LowerTfControlFlow(),
        InlineCalls(),
        ConvertTfToStablehlo(),
        FreezeGlobals(),
        CreateInitializer(),
        InlineCalls(),
        PromoteGlobals(),
        DropShardings(),
        ExpandChecks(),
        ExpandCustomCalls(custom_calls),
        ExpandWindows(),
        ExpandQuantized(),
        ExpandCollectives(),
        FlattenTuples(),
        ExpandChlo(),
        ExpandEinsum(),
        ExpandRng(),
        ExpandLinearAlgebra(),
        ExpandFft(),
        RefineShapes(),
        SimplifyStablehlo(),
    )


INPUT_PASSES = input_passes()

__all__ = [
    "INPUT_PASSES",
    "ConvertTfToStablehlo",
    "CreateInitializer",
    "DeclareTfGlobals",
    "DropShardings",
    "ExpandChecks",
    "ExpandChlo",
    "ExpandCollectives",
    "ExpandCustomCalls",
    "ExpandEinsum",
    "ExpandFft",
    "ExpandLinearAlgebra",
    "ExpandQuantized",
    "ExpandRng",
    "ExpandWindows",
    "FlattenTuples",
    "FreezeGlobals",
    "InlineCalls",
    "LowerTfControlFlow",
    "PromoteGlobals",
    "RefineShapes",
    "SimplifyStablehlo",
    "input_passes",
]
