"""global-optimization: StableHLO to linalg on tensors, then optimisations over whole functions."""

from tesselle.passes.global_optimization.convert_stablehlo_to_linalg import ConvertStablehloToLinalg
from tesselle.passes.global_optimization.fold_unit_dims import FoldUnitDims
from tesselle.passes.global_optimization.fuse_elementwise import FuseElementwise

GLOBAL_OPTIMIZATION_PASSES = (ConvertStablehloToLinalg(), FoldUnitDims(), FuseElementwise())

__all__ = ["GLOBAL_OPTIMIZATION_PASSES", "ConvertStablehloToLinalg", "FoldUnitDims", "FuseElementwise"]
