"""global-optimization: StableHLO to linalg on tensors, then optimisations over whole functions."""

from tesselle.passes.dispatch_creation.resolve_dims import ResolveDims
from tesselle.passes.global_optimization.carry_dims import CarryDims
from tesselle.passes.global_optimization.check_shapes import CheckShapes
from tesselle.passes.global_optimization.convert_stablehlo_to_linalg import ConvertStablehloToLinalg
from tesselle.passes.global_optimization.fold_constants import FoldConstants
from tesselle.passes.global_optimization.fold_gathers import FoldGathers
from tesselle.passes.global_optimization.fold_index_ranges import FoldIndexRanges
from tesselle.passes.global_optimization.fold_unit_dims import FoldUnitDims
from tesselle.passes.global_optimization.fuse_elementwise import FuseElementwise
from tesselle.passes.global_optimization.hoist_loop_invariants import HoistLoopInvariants
from tesselle.passes.global_optimization.propagate_transposes import PropagateTransposes
from tesselle.passes.global_optimization.split_reductions import SplitReductions

GLOBAL_OPTIMIZATION_PASSES = (
    FoldConstants(),
    ConvertStablehloToLinalg(),
    CarryDims(),
    ResolveDims(),
    FoldIndexRanges(),
    CheckShapes(),
    FoldGathers(),
    HoistLoopInvariants(),
    PropagateTransposes(),
    FoldUnitDims(),
    FuseElementwise(),
    SplitReductions(),
)

__all__ = [
    "GLOBAL_OPTIMIZATION_PASSES",
    "ConvertStablehloToLinalg",
    "FoldConstants",
    "FoldGathers",
    "FoldIndexRanges",
    "FoldUnitDims",
    "FuseElementwise",
    "HoistLoopInvariants",
    "PropagateTransposes",
    "SplitReductions",
]
