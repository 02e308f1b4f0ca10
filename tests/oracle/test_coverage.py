"""Every operation of StableHLO and CHLO has a meaning and a lowering, or stands here with a reason."""

from __future__ import annotations

import tesselle.passes.global_optimization
import tesselle.reference
from tesselle.ir.declare import OPS
from tesselle.passes.global_optimization.stablehlo_to_linalg import LOWERINGS
from tesselle.reference import has_semantics

ONE_DEVICE = "needs several devices"
HOST = "talks to the host program that XLA runs in"
BEFORE = "gone after the input phase"
LATER = "no lowering yet"

WITHOUT_LOWERING: dict[str, str] = {
    **dict.fromkeys(
        (
            "stablehlo.all_gather",
            "stablehlo.all_reduce",
            "stablehlo.all_to_all",
            "stablehlo.collective_broadcast",
            "stablehlo.collective_permute",
            "stablehlo.reduce_scatter",
        ),
        ONE_DEVICE,
    ),
    **dict.fromkeys(("stablehlo.infeed", "stablehlo.outfeed", "stablehlo.send", "stablehlo.recv"), HOST),
    **dict.fromkeys(
        (
            "stablehlo.after_all",
            "stablehlo.composite",
            "stablehlo.create_token",
            "stablehlo.custom_call",
            "stablehlo.get_tuple_element",
            "stablehlo.partition_id",
            "stablehlo.replica_id",
            "stablehlo.tuple",
        ),
        BEFORE,
    ),
    **dict.fromkeys(
        (
            "stablehlo.cholesky",
            "stablehlo.fft",
            "stablehlo.rng",
            "stablehlo.rng_bit_generator",
            "stablehlo.triangular_solve",
            "stablehlo.unary_einsum",
        ),
        LATER,
    ),
}


def names() -> list[str]:
    assert tesselle.passes.global_optimization and tesselle.reference  # imported for what they register
    return [name for name in OPS if name.startswith("stablehlo.") and name != "stablehlo.return"]


def test_lowerings() -> None:
    missing = {name for name in names() if OPS[name] not in LOWERINGS}
    assert missing == set(WITHOUT_LOWERING)


def test_meanings() -> None:
    missing = {name for name in names() if OPS[name] in LOWERINGS and not has_semantics(OPS[name])}
    assert not missing
