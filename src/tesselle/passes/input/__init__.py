"""Input: a program as its producer wrote it becomes StableHLO without calls, composites and tuples."""

from tesselle.passes.input.expand_checks import ExpandChecks
from tesselle.passes.input.expand_custom_calls import ExpandCustomCalls
from tesselle.passes.input.expand_quantized import ExpandQuantized
from tesselle.passes.input.inline_calls import InlineCalls
from tesselle.passes.input.simplify_stablehlo import SimplifyStablehlo

INPUT_PASSES = (InlineCalls(), ExpandChecks(), ExpandCustomCalls(), ExpandQuantized(), SimplifyStablehlo())

__all__ = [
    "INPUT_PASSES",
    "ExpandChecks",
    "ExpandCustomCalls",
    "ExpandQuantized",
    "InlineCalls",
    "SimplifyStablehlo",
]
