"""What is printed is read back to the same program, in both forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tesselle.ir.core import Op
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.verify import verify

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("*.mlir"))


def shape_of(op: Op) -> list[object]:
    """What two equal programs have in common, without names of values and without locations."""
    numbers: dict[object, int] = {}
    found: list[object] = []
    for o in op.walk():
        for region in o.regions:
            for block in region.blocks:
                for a in block.args:
                    numbers[a] = len(numbers)
        for r in o.results:
            numbers[r] = len(numbers)
        attributes = {k: repr(v) for k, v in o.attributes.items() if v is not None}  # as text: nan is not nan
        found.append((o.name, [numbers[v] for v in o.operands], o.result_types, attributes, o.operand_segments))
    return found


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
@pytest.mark.parametrize("generic", [False, True], ids=["pretty", "generic"])
def test_round_trip(path: Path, generic: bool) -> None:
    module = parse_module(path.read_text(), path.name)
    verify(module)
    text = print_op(module, generic=generic)
    again = parse_module(text, path.name)
    verify(again)
    assert print_op(again, generic=generic) == text
    assert shape_of(again) == shape_of(module)


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_round_trip_with_locations(path: Path) -> None:
    module = parse_module(path.read_text(), path.name)
    text = print_op(module, locations=True)
    again = parse_module(text, "other.mlir")
    assert [str(o.location) for o in again.walk()] == [str(o.location) for o in module.walk()]
    assert print_op(again, locations=True) == text


def test_pretty_and_generic_forms_mean_the_same() -> None:
    generic = parse_module((DATA / "stablehlo_generic.mlir").read_text())
    pretty = parse_module((DATA / "stablehlo_pretty.mlir").read_text())
    assert print_op(generic, generic=True).replace("%a:", "%arg0:") is not None
    assert [(o.name, o.result_types, o.attributes) for o in generic.walk() if o.name != "func.func"] == [
        (o.name, o.result_types, o.attributes) for o in pretty.walk() if o.name != "func.func"
    ]


def test_names_are_kept_and_made_unique() -> None:
    text = """\
func.func @f(%x: tensor<f32>) -> tensor<f32> {
  %y = stablehlo.negate %x : tensor<f32>
  %0 = stablehlo.negate %y : tensor<f32>
  return %0 : tensor<f32>
}
"""
    module = parse_module(text)
    function = module.regions[0].block.terminator
    body = function.regions[0].block
    first = body.first
    assert first is not None
    copy = first.clone()
    body.insert(copy, first)
    printed = print_op(module)
    assert "%y = stablehlo.negate %x" in printed
    assert "%y_0 = stablehlo.negate %x" in printed
    assert print_op(parse_module(printed)) == printed


def test_symbols_that_are_no_words_are_quoted() -> None:
    text = """\
module @"a b" {
  func.func @"<lambda>"() {
    call @"<lambda>"() {at = @x::@"y\\22z"} : () -> ()
    return
  }
}
"""
    assert print_op(parse_module(text)) == text


def test_sibling_regions_reuse_names() -> None:
    module = parse_module((DATA / "jax_lstm.mlir").read_text())
    printed = print_op(module)
    assert printed.count("%iterArg = ") == 2
    assert "stablehlo.while(%iterArg" in printed


def test_elements_of_large_constants_can_be_left_out() -> None:
    module = parse_module(
        f'func.func @f() {{ %0 = stablehlo.constant dense<"0x{"00112233" * 200}"> : tensor<200xi32> return }}'
    )
    assert "dense_resource<__elided__>" in print_op(module, elide_above=100)
    assert "dense_resource" not in print_op(module)


def test_operations_outside_of_a_module_are_put_into_one() -> None:
    module = parse_module("func.func private @f()\nfunc.func private @g()")
    assert module.name == "builtin.module"
    assert [o.name for o in module.regions[0].block] == ["func.func", "func.func"]
    assert len(parse_module("").regions[0].block.ops) == 0


def test_blocks_and_successors() -> None:
    text = """\
"test.outer"() ({
^bb0(%a: i32):
  "test.branch"(%a)[^bb1, ^bb2] : (i32) -> ()
^bb1:
  "test.end"(%b) : (i32) -> ()
^bb2:
  %b = "test.make"() : () -> i32
  "test.branch"()[^bb1] : () -> ()
}) : () -> ()
"""
    module = parse_module(text, allow_unregistered=True)
    printed = print_op(module)
    assert "[^bb1, ^bb2]" in printed
    assert print_op(parse_module(printed, allow_unregistered=True)) == printed
