"""Input: a program as its producer wrote it becomes StableHLO without calls, composites and tuples."""

from tesselle.passes.input.expand_chlo import ExpandChlo
from tesselle.passes.input.inline_calls import InlineCalls
from tesselle.passes.input.simplify_stablehlo import SimplifyStablehlo

INPUT_PASSES = (InlineCalls(), ExpandChlo(), SimplifyStablehlo())

__all__ = ["INPUT_PASSES", "ExpandChlo", "InlineCalls", "SimplifyStablehlo"]
