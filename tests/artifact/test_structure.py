"""How arguments and results nest: the JSON of `FunctionRecord.structure`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tesselle.artifact.structure import (
    DictOf,
    Leaf,
    ListOf,
    Literal,
    NamedTupleOf,
    Parameter,
    Structure,
    Tree,
    TupleOf,
    parse_structure,
)
from tesselle.support.diagnostics import ArtifactError

STRUCTURE = Structure(
    (
        Parameter("inputs", DictOf({"image": ListOf((Leaf(2), Leaf(0))), "none": Literal(None)})),
        Parameter("", TupleOf((NamedTupleOf("Point", {"x": Leaf(1)}),))),
        Parameter("training", Literal(True), optional=True),
    ),
    (Parameter("scale", Leaf(3)),),
    TupleOf((Leaf(1), Leaf(0), Literal(2.5), Literal("text"), Literal(False))),
)


def document(**changes: Any) -> str:
    return json.dumps({"positional": [{"name": "x", "value": 0}], "keyword": [], "results": 0} | changes)


def test_round_trip() -> None:
    assert parse_structure(STRUCTURE.to_json(), 4, 2) == STRUCTURE


def test_a_boolean_stays_one() -> None:
    """1 == True in Python, but not in a program."""
    literal = parse_structure(document(results={"value": True}), 1, 0).results
    assert isinstance(literal, Literal) and literal.value is True


def test_paths_of_arguments() -> None:
    assert STRUCTURE.argument_paths() == {
        2: "inputs['image'][0]",
        0: "inputs['image'][1]",
        1: "argument 1[0].x",
        3: "scale",
    }


def test_other_numbers() -> None:
    renumbered = STRUCTURE.renumbered({0: 3, 1: 2, 2: 1, 3: 0}, {0: 1, 1: 0})
    assert renumbered.keyword[0].value == Leaf(0)
    assert renumbered.argument_paths()[3] == "inputs['image'][1]"
    assert parse_structure(renumbered.to_json(), 4, 2) == renumbered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "expected positional, keyword and results"),
        (document(more=1), "expected positional, keyword and results"),
        (document(positional=[{"name": "x"}]), r"positional\[0\]: expected name and value"),
        (document(keyword=[{"name": "x", "value": 0, "optional": False}]), r"keyword\[0\]: expected name and value"),
        (document(positional=[{"name": "x", "value": 0, "optional": True}]), "an optional parameter with tensors"),
        (document(positional=[]), "does not name each of 1 arguments once"),
        (document(positional=[{"name": "x", "value": 1}]), "does not name each of 1 arguments once"),
        (document(positional=[{"name": "x", "value": {"list": [0, 0]}}]), "does not name each of 1 arguments once"),
        (document(keyword=[{"name": "x", "value": None}]), "two parameters of one name"),
        (document(keyword=[{"name": "", "value": None}]), "a parameter without a name"),
        (document(results=1), "results: there is no result 1"),
        (document(results=-1), "there is no argument or result -1"),
        (document(results=True), "expected a tree, found true"),
        (document(results=1.5), "expected a tree, found 1.5"),
        (document(results={"list": 0}), "expected a tree"),
        (document(results={"list": [], "tuple": []}), "expected a tree"),
        (document(results={"dict": {"k": "x"}}), r"results\['k'\]: expected a tree"),
        (document(results={"value": None}), "expected a tree"),
        (document(results={"namedtuple": {"name": "P", "fields": {"not one": 0}}}), "is no named tuple"),
        (document(results={"namedtuple": {"name": "P", "fields": {"class": 0}}}), "is no named tuple"),
        (document(results={"namedtuple": {"name": "P", "fields": {"_x": 0}}}), "is no named tuple"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        parse_structure(text, 1, 1)


def test_depth_is_limited() -> None:
    deep: Any = 0
    for _ in range(300):
        deep = {"list": [deep]}
    with pytest.raises(ArtifactError, match="nested more than"):
        parse_structure(document(results=deep), 1, 1)


TREES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["list", "tuple", "dict", "namedtuple", "value", "name", "fields"]), inner),
    ),
)


@given(TREES, TREES, TREES)
def test_anything_is_a_structure_or_refused(positional: Any, keyword: Any, results: Any) -> None:
    text = json.dumps({"positional": positional, "keyword": keyword, "results": results})
    try:
        structure = parse_structure(text, 1, 1)
    except ArtifactError:
        return
    assert parse_structure(structure.to_json(), 1, 1).to_json() == structure.to_json()


def trees(leaves: list[int]) -> st.SearchStrategy[Tree]:
    literals = st.sampled_from([Literal(None), Literal(3), Literal("s"), Literal(1.5), Literal(True)])
    return st.recursive(
        literals if not leaves else st.sampled_from([Leaf(i) for i in leaves]),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda v: ListOf(tuple(v))),
            st.lists(inner, max_size=3).map(lambda v: TupleOf(tuple(v))),
            st.dictionaries(st.text(max_size=3), inner, max_size=3).map(DictOf),
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda v: NamedTupleOf("N", v)),
        ),
    )


@given(trees([0, 1, 2]))
def test_every_tree_of_results(tree: Tree) -> None:
    structure = Structure((), (), tree)
    assert parse_structure(structure.to_json(), 0, 3) == structure
