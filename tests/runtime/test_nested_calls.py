"""Functions whose arguments and results nest: calls, results, and what errors say."""

from __future__ import annotations

import collections
import json
from typing import Any

import numpy as np
import pytest

import tesselle as ts
from tesselle.artifact.structure import (
    DictOf,
    Leaf,
    ListOf,
    Literal,
    NamedTupleOf,
    Parameter,
    Structure,
    TupleOf,
)
from tesselle.support.diagnostics import ArtifactError, InvocationError

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

NESTED = Structure(
    (
        Parameter("inputs", DictOf({"image": ListOf((Leaf(1), Leaf(0)))})),
        Parameter("point", NamedTupleOf("Point", {"x": Leaf(2), "y": Literal(None)})),
        Parameter("training", Literal(True), optional=True),
    ),
    (Parameter("scale", Leaf(3)),),
    DictOf(
        {
            "first": Leaf(1),
            "rest": TupleOf((ListOf((Leaf(0),)), Literal(7))),
            "point": NamedTupleOf("Point", {"x": Leaf(0), "y": Leaf(1)}),
        }
    ),
)
TYPE = "tensor<2xf32>"


def text(structure: Structure, more: str = "") -> str:
    quoted = structure.to_json().replace('"', "\\22")
    return f"""
func.func @f(%a: {TYPE}, %b: {TYPE}, %c: {TYPE}, %d: tensor<f32>) -> ({TYPE}, {TYPE})
    attributes {{tesselle.structure = "{quoted}"{more}}} {{
  %0 = stablehlo.subtract %b, %a : {TYPE}
  %s = stablehlo.broadcast_in_dim %d, dims = [] : (tensor<f32>) -> {TYPE}
  %1 = stablehlo.multiply %c, %s : {TYPE}
  return %0, %1 : {TYPE}, {TYPE}
}}
func.func @flat(%x: {TYPE}) -> {TYPE} {{ return %x : {TYPE} }}
"""


@pytest.fixture(scope="module")
def program() -> ts.Program:
    return ts.load(ts.compile(text(NESTED)))


A, B, C, D = (np.array(v, np.float32) for v in ([1, 2], [10, 20], [3, 5], 2))
Point = collections.namedtuple("Point", "x y")


def require_results(results: Any) -> None:
    assert list(results) == ["first", "rest", "point"]
    np.testing.assert_array_equal(results["first"], C * D)
    (difference,), seven = results["rest"]
    np.testing.assert_array_equal(difference, B - A)
    assert seven == 7 and isinstance(results["rest"], tuple) and isinstance(results["rest"][0], list)
    np.testing.assert_array_equal(results["point"].y, C * D)
    assert type(results["point"]).__name__ == "Point" and isinstance(results["point"], tuple)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (({"image": [B, A]}, Point(C, None)), {"scale": D}),
        (({"image": (B, A)}, (C, None), True), {"scale": D}),
        (({"image": [[10, 20], [1.0, 2.0]]}, {"x": [3, 5], "y": None}), {"scale": 2}),
        ((), {"scale": D, "point": Point(C, None), "inputs": {"image": [B, A]}, "training": True}),
        (({"image": [B, A]},), {"scale": D, "point": {"y": None, "x": C}}),
    ],
    ids=["named tuple", "tuples", "numbers", "by name", "mixed"],
)
def test_calls(program: ts.Program, args: Any, kwargs: Any) -> None:
    require_results(program["f"](*args, **kwargs))
    require_results(program["f"].submit(*args, **kwargs).result())


def test_flat_functions_stay_as_they_are(program: ts.Program) -> None:
    """Same class, same path: no Python between the caller and the native call that was not there before."""
    assert type(program["flat"]) is ts.Function
    assert program["flat"].flat is program["flat"]
    assert type(program["f"]) is not ts.Function and isinstance(program["f"], ts.Function)


def test_flat_calls(program: ts.Program) -> None:
    first, second = program["f"].flat(A, B, c=C, d=D)
    np.testing.assert_array_equal(first, B - A)
    np.testing.assert_array_equal(second, C * D)


GOOD = {"inputs": {"image": [B, A]}, "point": (C, None), "scale": D}


@pytest.mark.parametrize(
    ("args", "changes", "message"),
    [
        ((), {"inputs": {"image": [B]}}, "inputs['image']: expected a list of 2, found 1"),
        ((), {"inputs": {"image": B}}, "inputs['image']: expected a list of 2, found a value of type ndarray"),
        ((), {"inputs": {"image": {0: B}}}, "inputs['image']: expected a list of 2, found a value of type dict"),
        ((), {"inputs": [B, A]}, "inputs: expected a dict with 'image', found a value of type list"),
        ((), {"inputs": {}}, "inputs['image'] is missing"),
        ((), {"inputs": {"image": [B, A], "label": A}}, "inputs: unexpected key 'label'; expected: 'image'"),
        ((), {"inputs": {"image": [B, C[:1]]}}, "inputs['image'][1]: expected tensor<2xf32>, found tensor<1xf32>"),
        ((), {"inputs": {"image": [B.astype(int), A]}}, "inputs['image'][0]: expected dtype f32, found i64"),
        (
            (),
            {"inputs": {"image": [None, A]}},
            "inputs['image'][0]: expected an array (b: tensor<2xf32>), found NoneType",
        ),
        ((), {"point": (C, 1)}, "point.y: the program was made for None, found 1"),
        ((), {"point": (C,)}, "point: expected a Point of x, y, found a value of type tuple"),
        ((), {"point": C}, "point: expected a Point of x, y, found a value of type ndarray"),
        ((), {"training": False}, "training: the program was made for True, found False"),
        ((), {"training": 1}, "training: the program was made for True, found 1"),
        ((), {"scale": ...}, "missing argument scale"),
        ((), {"inputs": ...}, "missing argument inputs (a dict with 'image')"),
        ((), {"size": D}, "no argument named 'size'; there are: inputs, point, training, scale"),
        ((GOOD["inputs"],), {}, "argument 'inputs' is given by position and by name"),
        ((1, 2, 3, 4), {}, "takes 3 positional arguments, 4 given"),
    ],
)
def test_errors_name_the_path(program: ts.Program, args: Any, changes: Any, message: str) -> None:
    kwargs = {k: v for k, v in (GOOD | changes).items() if v is not ...}
    for call in (program["f"], program["f"].submit, program["f"].begin):
        with pytest.raises(InvocationError) as error:
            call(*args, **kwargs)
        assert f"function 'f': {message}" in str(error.value)


def test_a_session_has_it_too(program: ts.Program) -> None:
    require_results(program.new_session()["f"](**GOOD))


def test_aliases_are_functions_of_their_own() -> None:
    swapped = NESTED.renumbered({0: 1, 1: 0, 2: 2, 3: 3}, {0: 0, 1: 1})
    quoted = swapped.to_json().replace('"', "\\22")
    names = 'arguments = ["p", "q", "r", "s"], results = ["u", "v"]'
    more = f', tesselle.aliases = [{{name = "a function", structure = "{quoted}", {names}}}], tesselle.name = "g-1"'
    program = ts.load(ts.compile(text(NESTED, more)))
    assert list(program.functions) == ["g-1", "a function", "flat"]
    record = program.functions["a function"]
    assert [a.name for a in record.arguments] == ["p", "q", "r", "s"] and [r.name for r in record.results] == ["u", "v"]
    assert record.vm_function == program.functions["g-1"].vm_function == "f"
    np.testing.assert_array_equal(program["a function"](**GOOD)["rest"][0][0], A - B)
    np.testing.assert_array_equal(program["g-1"](**GOOD)["rest"][0][0], B - A)


def test_a_structure_that_does_not_suit_its_function() -> None:
    artifact = ts.compile(text(Structure(NESTED.positional, (), NESTED.results)))
    with pytest.raises(ArtifactError, match="function 'f': structure: does not name each of 4 arguments once"):
        ts.load(artifact)


def test_structures_survive_the_archive(program: ts.Program, tmp_path: Any) -> None:
    ts.compile(text(NESTED)).save(tmp_path / "nested.tsl")
    loaded = ts.load(tmp_path / "nested.tsl")
    assert json.loads(loaded.functions["f"].structure) == json.loads(NESTED.to_json())
    require_results(loaded["f"](**GOOD))
