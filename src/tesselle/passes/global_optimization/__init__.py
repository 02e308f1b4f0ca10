"""global-optimization: StableHLO to linalg on tensors, then optimisations over whole functions."""

from tesselle.passes.global_optimization.convert_stablehlo_to_linalg import ConvertStablehloToLinalg

GLOBAL_OPTIMIZATION_PASSES = (ConvertStablehloToLinalg(),)

__all__ = ["GLOBAL_OPTIMIZATION_PASSES", "ConvertStablehloToLinalg"]
