"""Input: a program as its producer wrote it becomes StableHLO without calls, composites and tuples."""

from tesselle.passes.input.expand_custom_calls import ExpandCustomCalls
from tesselle.passes.input.expand_fft import ExpandFft
from tesselle.passes.input.expand_linear_algebra import ExpandLinearAlgebra
from tesselle.passes.input.inline_calls import InlineCalls
from tesselle.passes.input.simplify_stablehlo import SimplifyStablehlo

INPUT_PASSES = (InlineCalls(), ExpandCustomCalls(), ExpandLinearAlgebra(), ExpandFft(), SimplifyStablehlo())

__all__ = ["INPUT_PASSES", "ExpandCustomCalls", "ExpandFft", "ExpandLinearAlgebra", "InlineCalls", "SimplifyStablehlo"]
