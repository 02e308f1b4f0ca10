"""Locations: where the text stands, or what it says."""

from __future__ import annotations

from pathlib import Path

from tesselle.ir.text import parse_module, print_op
from tesselle.support.locations import CallSiteLocation, FileLocation, FusedLocation, Location, NameLocation

DATA = Path(__file__).parent / "data"


def location_of(text: str) -> Location:
    module = parse_module(f'"test.op"() : () -> () loc({text})\n#a = loc("a.py":1:2)', allow_unregistered=True)
    op = module.regions[0].block.first
    assert op is not None
    return op.location


def test_kinds() -> None:
    a = FileLocation("a.py", 1, 2)
    assert location_of('"a.py":1:2') == a
    assert location_of("#a") == a
    assert location_of('"a.py":1:2 to :9') == a
    assert location_of('"a.py":1:2 to 3:9') == a
    assert location_of('"layer"') == NameLocation("layer")
    assert location_of('"layer"(#a)') == NameLocation("layer", a)
    assert location_of('callsite("f"(#a) at "b.py":3:4)') == CallSiteLocation(
        NameLocation("f", a), FileLocation("b.py", 3, 4)
    )
    assert location_of('fused[#a, "x"]') == FusedLocation((a, NameLocation("x")))
    assert location_of('fused<"why">[#a]') == FusedLocation((a,))
    assert location_of('"quote\\22d"') == NameLocation('quote"d')


def test_operations_without_one_get_their_place_in_the_text() -> None:
    module = parse_module("\n\n   func.func private @f() loc(unknown)\n  // comment\n func.func private @g()", "m.mlir")
    places = [str(o.location) for o in module.regions[0].block]
    assert places == ["m.mlir:3:4", "m.mlir:5:2"]


def test_locations_of_jax() -> None:
    module = parse_module((DATA / "jax_softmax_locations.mlir").read_text(), "softmax.mlir")
    subtract = next(o for o in module.walk() if o.name == "stablehlo.subtract")
    place = subtract.location.file_location()
    assert place is not None
    assert place.file.endswith("workloads.py")
    assert "jit(<lambda>)/sub" in print_op(module, locations=True)
    function = next(o for o in module.walk() if o.name == "func.func")
    assert function.regions[0].blocks[0].args[0].location == NameLocation("x[0]")
