"""What is read of a SavedModel before TensorFlow sees it: functions, names, nesting, captures; and hostile files."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from saved_models import SMALL, SavedModels

from tesselle.artifact.structure import parse_structure
from tesselle.frontends import import_program
from tesselle.frontends.tensorflow.checkpoint import Checkpoint
from tesselle.frontends.tensorflow.exports import Export, check_exports, find_exports, find_variables
from tesselle.frontends.tensorflow.object_graph import variable_keys
from tesselle.frontends.tensorflow.saved_model import SavedModel, read_saved_model
from tesselle.frontends.tensorflow.staging import stage
from tesselle.frontends.tensorflow.wire import Message, bytes_field, integer_field, to_signed, varint
from tesselle.frontends.tensorflow.wrappers import unwrap_signatures
from tesselle.support.diagnostics import OptionError, ParseError, TesselleError, Unsupported


def read(folder: Path) -> SavedModel:
    file = folder / "saved_model.pb"
    return read_saved_model(Message.of(file.read_bytes(), str(file)))


def exports_of(folder: Path, *only: str) -> dict[str, Export]:
    model = read(folder)
    return {e.name: e for e in unwrap_signatures(model, find_exports(model, only))}


# ------------------------------------------------------------------------------------------------ functions


def test_names_of_functions(saved_models: SavedModels) -> None:
    assert list(exports_of(saved_models("traces"))) == ["call.trace_0", "call.trace_1", "part.double"]
    assert list(exports_of(saved_models("keras_export"))) == ["serve", "signatures.serve", "serving_default"]
    names = ["keywords", "nested", "single", "doubled", "serving_default"]
    assert list(exports_of(saved_models("signatures"))) == names


def test_signatures_share_the_functions_that_they_wrap(saved_models: SavedModels) -> None:
    exports = exports_of(saved_models("keras_export"))
    assert len({e.function.name for e in exports.values()}) == 1
    assert exports["serve"].signature.structure != exports["serving_default"].signature.structure
    exports = exports_of(saved_models("dynamic_batch"))
    assert exports["run"].function == exports["serving_default"].function
    # `named` is no attribute of the module: there is nothing that its signature could share.
    assert len({e.function.name for e in exports_of(saved_models("signatures")).values()}) == 5


def test_nesting(saved_models: SavedModels) -> None:
    exports = exports_of(saved_models("signatures"))
    nested = exports["nested"].signature
    assert [a.name for a in nested.arguments] == [
        "inputs.image.0",
        "inputs.image.1",
        "inputs.pair.0",
        "inputs.pair.1.0",
        "bias",
    ]
    assert not nested.is_flat
    for export in exports.values():
        text = export.signature.structure.to_json()
        parse_structure(text, len(export.signature.arguments), len(export.signature.results))
    keywords = exports["keywords"].signature.structure
    assert [p.name for p in keywords.positional] == ["pair", "", ""]
    assert [p.name for p in keywords.keyword] == ["a", "b"]
    assert exports_of(saved_models("mlp"))["predict"].signature.is_flat


def test_python_values_of_a_trace(saved_models: SavedModels) -> None:
    for name, value in (("call.trace_0", False), ("call.trace_1", True)):
        training = exports_of(saved_models("traces"))[name].signature.structure.positional[1]
        assert (training.name, training.optional) == ("training", True)
        assert getattr(training.value, "value", None) is value


def test_only_some_functions(saved_models: SavedModels) -> None:
    assert list(exports_of(saved_models("signatures"), "single", "doubled")) == ["single", "doubled"]
    with pytest.raises(OptionError, match="has no function 'singel'; its functions are: keywords, nested, single"):
        exports_of(saved_models("signatures"), "singel")


# ------------------------------------------------------------------------------------------------ what is not supported


def test_a_folder_that_is_no_saved_model(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=r"is a folder, but no SavedModel: there is no saved_model\.pb"):
        import_program(tmp_path)


def test_options_of_saved_models_for_other_sources() -> None:
    with pytest.raises(OptionError, match="--functions is for SavedModels"):
        import_program("module {}", functions=("f",))
    with pytest.raises(OptionError, match="--weights is for SavedModels"):
        import_program("module {}", weights=Path("w.safetensors"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a SavedModel without a graph"),
        (b"\xff\xff", "a number that does not end"),
        (b"\x13\x37", "a field of type 3, which does not exist"),
        (b"\x02\x00", "a field with number 0"),
        (b"\x12\x05ab", "field 2 ends after the message it stands in"),
        (bytes_field(2, bytes_field(7, b"")), "an object graph without objects"),
        (bytes_field(2, bytes_field(7, bytes_field(1, bytes_field(1, integer_field(1, 5))))), "that is not there"),
        (bytes_field(2, bytes_field(7, bytes_field(1, bytes_field(6, bytes_field(1, "f"))))), "concrete function 'f'"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ParseError) as error:
        read(tmp_path)
    assert message in str(error.value) and "saved_model.pb:0x" in str(error.value)


def test_models_of_tensorflow_1(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(bytes_field(2, bytes_field(1, bytes_field(5, "1.15.0"))))
    with pytest.raises(Unsupported, match=r"a SavedModel of TensorFlow 1 \(1\.15\.0\)"):
        read(tmp_path)


def test_nothing_is_exported(tmp_path: Path) -> None:
    root = bytes_field(1, bytes_field(4, bytes_field(1, "_generic_user_object")))
    (tmp_path / "saved_model.pb").write_bytes(bytes_field(2, bytes_field(7, root)))
    with pytest.raises(Unsupported, match="no function is exported: call the functions of the module once"):
        find_exports(read(tmp_path))


def structured_tensor(dtype: int, *shape: int) -> bytes:
    dims = b"".join(bytes_field(2, integer_field(1, d)) for d in shape)
    return bytes_field(33, bytes_field(2, dims) + integer_field(3, dtype))


def test_everything_that_is_not_supported_is_said_at_once(tmp_path: Path) -> None:
    """A string, a composite tensor, a resource and a variable without a value, in two functions."""
    children = [("f", 1), ("g", 2), ("table", 3), ("v", 4)]
    root = b"".join(bytes_field(1, integer_field(1, i) + bytes_field(2, n)) for n, i in children)
    nodes = [
        root + bytes_field(4, bytes_field(1, "_generic_user_object")),
        bytes_field(6, bytes_field(1, "trace_f")),
        bytes_field(6, bytes_field(1, "trace_g")),
        bytes_field(10, b""),
        bytes_field(7, integer_field(1, 1)),
    ]
    ragged = bytes_field(34, bytes_field(3, "RaggedTensorSpec"))
    inputs = bytes_field(52, b"".join(bytes_field(1, v) for v in (structured_tensor(7, 2), ragged)))
    whole = bytes_field(52, bytes_field(1, inputs) + bytes_field(1, bytes_field(53, b"")))
    empty = bytes_field(52, bytes_field(1, bytes_field(52, b"")) + bytes_field(1, bytes_field(53, b"")))
    functions = {
        "trace_f": integer_field(2, 3) + bytes_field(3, whole) + bytes_field(4, structured_tensor(1)),
        "trace_g": integer_field(2, 4) + bytes_field(3, empty) + bytes_field(4, structured_tensor(1)),
    }
    graph = b"".join(bytes_field(1, n) for n in nodes)
    graph += b"".join(bytes_field(2, bytes_field(1, k) + bytes_field(2, v)) for k, v in functions.items())
    (tmp_path / "saved_model.pb").write_bytes(bytes_field(2, bytes_field(7, graph)))
    with pytest.raises(Unsupported) as error:
        import_program(tmp_path)
    messages = [d.message for d in error.value.diagnostics]
    assert messages == [
        "function 'f': argument arg0 holds elements of type string",
        "function 'f': argument arg1 is RaggedTensorSpec",
        "function 'f' uses 'table', a resource: only variables and constants can be",
        "function 'g' uses the variable 'v', which the checkpoint does not have",
    ]


# ------------------------------------------------------------------------------------------------ hostile files


def prepare(folder: Path, target: Path) -> None:
    """Everything up to TensorFlow."""
    model = read(folder)
    exports = unwrap_signatures(model, find_exports(model))
    checkpoint = Checkpoint(folder / "variables" / "variables")
    keys = variable_keys(model.objects, checkpoint)
    checked = check_exports(model, exports, keys)
    variables = find_variables(model, checked.exports, keys)
    shapes = {v.node: checkpoint.entry(v.key).shape for v in variables}
    target.mkdir()
    stage(model, checked, shapes, target)


@pytest.mark.parametrize("name", ["signatures", "constants", "from_jax", "keras_export"])
def test_damaged_models_are_refused_or_harmless(saved_models: SavedModels, tmp_path: Path, name: str) -> None:
    rng = random.Random(name)
    whole = (saved_models(name) / "saved_model.pb").read_bytes()
    folder = tmp_path / "damaged"
    shutil.copytree(saved_models(name), folder)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        if rng.random() < 0.1:
            del damaged[rng.randrange(len(damaged)) :]
        (folder / "saved_model.pb").write_bytes(damaged)
        target = tmp_path / "staged"
        try:
            prepare(folder, target)
        except TesselleError:
            refused += 1
        shutil.rmtree(target, ignore_errors=True)
    assert refused > 5


def test_no_weights_reach_tensorflow(saved_models: SavedModels, tmp_path: Path) -> None:
    """The staged files are small, whatever the model weighs, and hold zeros."""
    for name in SMALL:
        prepare(saved_models(name), tmp_path / name)
        data = (tmp_path / name / "variables" / "variables.data-00000-of-00001").read_bytes()
        staged = Checkpoint(tmp_path / name / "variables" / "variables")
        _, graph = data, bytes(staged.read_string("_CHECKPOINTABLE_OBJECT_GRAPH").data)
        assert not any(data[len(data) - data[::-1].index(graph[::-1]) :])
    assert (tmp_path / "constants" / "saved_model.pb").stat().st_size < 20_000


def test_a_staged_model_can_be_read(saved_models: SavedModels, tmp_path: Path) -> None:
    """What is written is a SavedModel again, of flat functions and the same variables."""
    prepare(saved_models("signatures"), tmp_path / "staged")
    again = exports_of(tmp_path / "staged")
    assert list(again) == ["f0", "f1", "f2", "f3", "f4"]
    assert all(isinstance(p.name, str) for e in again.values() for p in e.signature.structure.positional)
    checkpoint = Checkpoint(tmp_path / "staged" / "variables" / "variables")
    keys = variable_keys(read(tmp_path / "staged").objects, checkpoint)
    assert len(keys) == 1 and all(not checkpoint.read(k).any() for k in keys.values())


# ------------------------------------------------------------------------------------------------ wire


def test_numbers_on_the_wire() -> None:
    for value in (0, 1, 127, 128, 300, 2**32, 2**63, 2**64 - 1, -1, -(2**63)):
        encoded = varint(value)
        found, at = Message.of(encoded, "m").varint(0)
        assert at == len(encoded) and found == value % 2**64
        assert to_signed(found) == (value if -(2**63) <= value < 2**63 else value - 2**64)


def test_edits_keep_everything_else() -> None:
    parts = [integer_field(1, 7), bytes_field(2, "a"), bytes_field(3, "x"), bytes_field(2, "b"), b"\x25abcd"]
    message = Message.of(b"".join(parts), "m")
    edited = message.edited(2, lambda i, m: b"new" if m.to_text() == "b" else None)
    assert edited == b"".join([*parts[:3], bytes_field(2, "new"), parts[4]])
    assert Message.of(edited, "m").texts(2) == ["a", "new"]


def test_packed_numbers() -> None:
    message = Message.of(bytes_field(2, varint(1) + varint(300)) + integer_field(2, 5), "m")
    assert message.integers(2) == [1, 300, 5]


def test_random_bytes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        message = Message.of(rng.bytes(int(rng.integers(0, 60))), "m")
        try:
            list(message.fields())
        except ParseError:
            continue
        assert message.edited(1, lambda _, __: None) == bytes(message.data)
