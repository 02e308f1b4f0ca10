"""Input: a program as its producer wrote it becomes StableHLO without calls, composites and tuples."""

from tesselle.passes.input.expand_chlo import ExpandChlo
from tesselle.passes.input.expand_custom_calls import ExpandCustomCalls
from tesselle.passes.input.expand_einsum import ExpandEinsum
from tesselle.passes.input.expand_rng import ExpandRng
from tesselle.passes.input.inline_calls import InlineCalls
from tesselle.passes.input.simplify_stablehlo import SimplifyStablehlo

INPUT_PASSES = (
    InlineCalls(),
    ExpandCustomCalls(),
    ExpandChlo(),
    ExpandEinsum(),
    ExpandRng(),
    SimplifyStablehlo(),
)

__all__ = [
    "INPUT_PASSES",
    "ExpandChlo",
    "ExpandCustomCalls",
    "ExpandEinsum",
    "ExpandRng",
    "InlineCalls",
    "SimplifyStablehlo",
]
