"""What a SavedModel needs and Tesselle does not have is reported at once: every operation, its place, what to do."""

from __future__ import annotations

import numpy as np
import pytest
from saved_models import SavedModels

import tesselle as ts


def test_one_report(saved_models: SavedModels) -> None:
    with pytest.raises(ts.Unsupported) as caught:
        ts.compile(saved_models("refused"))
    found = [(d.rule, d.message, str(d.location)) for d in caught.value.diagnostics]
    assert [rule for rule, _, _ in found] == [
        *["tensorflow.export"] * 4,
        "tf.LookupTableFindV2",
        "tf.BesselK0",
        "tf.StringToNumber",
    ]
    messages = {message for rule, message, _ in found if rule == "tensorflow.export"}
    assert messages == {
        "function 'read': argument text holds elements of type string",
        "function 'open_rank': argument x has no fixed rank",
        "function 'open_rank': result value has no fixed rank",
        "function 'spell' uses the variable 'word', which holds elements of type string",
    }
    *_, table, bessel, number = caught.value.diagnostics
    assert (table.message, str(table.location)) == (
        "tf.LookupTableFindV2 is not supported",
        '"None_Lookup/LookupTableFindV2 in look"',
    )
    assert [n.message for n in table.notes] == [
        "it uses 'vocabulary'",
        "look keys up before the call, or keep the values in a tf.Variable and take them with tf.gather",
    ]
    # Once for all places; not what only follows from an unknown rank.
    assert str(bessel.location) == '"block/BesselK0 in open_rank"'
    assert bessel.notes[0].message == 'also "BesselK0 in read"'
    assert str(number.location) == '"StringToNumber in read"'
    assert number.notes[0].message.startswith("strings stay outside of compiled functions")
    assert number.notes[-1].message.startswith("functions that are not needed can be left out")


def test_the_rest_can_be_compiled(saved_models: SavedModels) -> None:
    program = ts.load(ts.compile(saved_models("refused"), options=ts.CompileOptions(functions=("fine",))))
    np.testing.assert_array_equal(program["fine"](np.array([1.0, 1.0], np.float32)), [2.0, 3.0])


def test_functions_that_cannot_be_converted_at_all(saved_models: SavedModels) -> None:
    with pytest.raises(ts.Unsupported, match="'spell' uses the variable 'word', which holds elements of type string"):
        ts.compile(saved_models("refused"), options=ts.CompileOptions(functions=("spell",)))
