"""The manifest: round trip, and one clear line for each thing that can be wrong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tesselle.artifact.schema import (
    SCHEMA_VERSION,
    ConstantRecord,
    EntryRecord,
    ExecutableRecord,
    FileRecord,
    FunctionRecord,
    HostFunctionRecord,
    Manifest,
    TensorSpec,
    VariableRecord,
)
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import DTYPES, F32

MANIFEST = Manifest(
    producer="tests 1",
    module_name="m",
    functions=(
        FunctionRecord(
            "main", (TensorSpec("x", F32, (2, None)),), (TensorSpec("", F32, ()),), "main", "m.mlir:1:2", 64
        ),
    ),
    executables=(
        ExecutableRecord(
            "d0", "cpu", "x86_64-linux", ("avx2",), "executables/d0.bin", (EntryRecord("k", "add", 1, 2),)
        ),
    ),
    constants=(ConstantRecord("c", F32, (2,), "constants.safetensors", "c", 64, 8),),
    files=(FileRecord("host.vm", 10, "0" * 64),),
    variables=(VariableRecord("w", F32, (None, 3), "w"),),
    initializer="init",
)

CONFIG = '{"attributes":{},"config":"","api_version":1,"operand_layouts":[],"result_layouts":[],"aliases":[]}'


def test_round_trip() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_every_dtype_round_trips() -> None:
    for dtype in DTYPES.values():
        if not dtype.is_index:
            m = Manifest("", "m", (FunctionRecord("f", (TensorSpec("x", dtype, (1,)),), (), "f"),))
            assert Manifest.from_json(m.to_json()) == m


def test_quantization_came_with_version_1_2() -> None:
    """It is kept where there is some, and manifests of earlier versions have none."""
    spec = TensorSpec("x", F32, (2,), "!quant.uniform<i8:f32, 5.000000e-01:3>")
    m = Manifest("", "m", (FunctionRecord("f", (spec,), (), "f"),))
    assert Manifest.from_json(m.to_json()) == m
    assert str(spec) == "x: tensor<2x!quant.uniform<i8:f32, 5.000000e-01:3>>"
    root = json.loads(MANIFEST.to_json())
    root["schema_version"] = [1, 1]
    del root["variables"], root["initializer"]
    for tensor in root["functions"][0]["arguments"] + root["functions"][0]["results"]:
        del tensor["quantization"]
    assert Manifest.from_json(json.dumps(root)).functions == MANIFEST.functions


def test_variables_came_with_version_1_3() -> None:
    function = dataclasses.replace(MANIFEST.functions[0], updates=True, structure='{"kwargs": ["x"]}')
    m = dataclasses.replace(MANIFEST, functions=(function,))
    assert Manifest.from_json(m.to_json()) == m
    assert '"updates": true' in m.to_json()
    assert str(m.variables[0]) == "w: tensor<?x3xf32>"


@pytest.mark.parametrize("minor", range(SCHEMA_VERSION[1]))
def test_manifests_of_every_earlier_version_are_read(minor: int) -> None:
    """Text that was written by the release with that schema, byte for byte."""
    m = Manifest.from_json((Path(__file__).parent / f"manifest_1_{minor}.json").read_bytes())
    assert m.schema_version == (1, minor)
    (function,) = m.functions
    assert str(function) == "main(x: tensor<2x?xf32>) -> (tensor<f32>)"
    assert (function.updates, function.structure, m.variables, m.initializer) == (False, "", (), "")
    assert m.executable_names() == ("d0",)
    assert m.host_functions == (() if minor < 1 else (HostFunctionRecord("t", CONFIG, "m.mlir:3:4"),))


def test_a_later_field_in_an_earlier_version_is_unknown() -> None:
    root = json.loads(MANIFEST.to_json())
    root["schema_version"] = [1, 2]
    with pytest.raises(ArtifactError, match=r"manifest\.json: variables: unknown field"):
        Manifest.from_json(json.dumps(root))


def change(path: str, value: Any) -> str:
    """The manifest with one field changed; `...` removes it."""
    root = json.loads(MANIFEST.to_json())
    *parents, last = [int(p) if p.isdecimal() else p for p in path.split(".")]
    at: Any = root
    for p in parents:
        at = at[p]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return json.dumps(root)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("producer", ..., "producer: missing"),
        ("producer", 3, "producer: expected a string, found a number"),
        ("surplus", 1, "surplus: unknown field"),
        ("functions", {}, "functions: expected a list, found an object"),
        ("functions.0", None, "functions[0]: expected an object, found null"),
        ("functions.0.name", "", "functions[0].name: must not be empty"),
        ("functions.0.arguments.0.dtype", "f33", "functions[0].arguments[0].dtype: no element type 'f33'"),
        ("functions.0.arguments.0.dtype", "index", "functions[0].arguments[0].dtype: no element type 'index'"),
        ("functions.0.arguments.0.shape", [-1], "functions[0].arguments[0].shape[0]: -1 is out of range"),
        ("functions.0.arguments.0.shape", [True], "shape[0]: expected a whole number, found a boolean"),
        ("functions.0.arguments.0.shape", [1.5], "shape[0]: expected a whole number, found a number"),
        ("functions.0.arguments.0.shape", [1] * 65, "rank 65 is above 64"),
        ("functions.0.arguments.0.shape", [1 << 40, 1 << 40], "too many elements"),
        ("executables.0.file", "../x", "executables[0].file: '../x' is not a plain path"),
        ("executables.0.file", "/x", "is not a plain path"),
        ("constants.0.size", 12, "constants[0].size: 12, but its shape and dtype take 8 bytes"),
        ("constants.0.shape", [None], "constants[0].shape[0]: expected a whole number, found null"),
        ("functions.0.updates", 1, "functions[0].updates: expected a boolean, found a number"),
        ("functions.0.structure", None, "functions[0].structure: expected a string, found null"),
        ("functions.0.structure", "{", "functions[0].structure: is not JSON: "),
        ("functions.0.structure", "[" * 100_000, "functions[0].structure: is not JSON: "),
        ("functions.0.structure", "9" * 100_000, "functions[0].structure: is not JSON: "),
        (
            "functions.0.structure",
            '"' + "x" * (1 << 20),
            "functions[0].structure: 1048577 characters, more than 1048576",
        ),
        ("variables", ..., "variables: missing"),
        ("variables", None, "variables: expected a list, found null"),
        ("variables.0.name", "", "variables[0].name: must not be empty"),
        ("variables.0.vm_global", "", "variables[0].vm_global: must not be empty"),
        ("variables.0.vm_global", ..., "variables[0].vm_global: missing"),
        ("variables.0.dtype", "token", "variables[0].dtype: no element type 'token'"),
        ("variables.0.shape", [1 << 40, 1 << 40], "variables[0].shape: too many elements"),
        ("variables.0.surplus", 1, "variables[0].surplus: unknown field"),
        ("initializer", ..., "initializer: missing"),
        ("initializer", None, "initializer: expected a string, found null"),
        ("files.0.sha256", "xyz", "files[0].sha256: expected 64 hex digits"),
        ("schema_version", [1], "schema_version: expected [major, minor]"),
        ("schema_version", [0, 9], "there is no schema version 0.9"),
        ("schema_version", ..., "schema_version: missing"),
    ],
)
def test_wrong_fields(path: str, value: Any, text: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        Manifest.from_json(change(path, value))
    assert text in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("version", [[SCHEMA_VERSION[0] + 1, 0], [SCHEMA_VERSION[0], SCHEMA_VERSION[1] + 1]])
def test_later_versions_are_refused_whatever_else_they_hold(version: list[int]) -> None:
    with pytest.raises(ArtifactError, match="update Tesselle"):
        Manifest.from_json(json.dumps({"schema_version": version, "something": "new"}))


@pytest.mark.parametrize("data", ["", "{", "[]", "3", "\0", '{"schema_version": [1, 0]}', "[" * 100_000])
def test_what_is_not_a_manifest(data: str) -> None:
    with pytest.raises(ArtifactError):
        Manifest.from_json(data)


def test_duplicates() -> None:
    root = json.loads(MANIFEST.to_json())
    for key in ("functions", "constants", "files", "variables"):
        twice = root | {key: root[key] * 2}
        with pytest.raises(ArtifactError, match="appears twice"):
            Manifest.from_json(json.dumps(twice))
    shared = root | {"variables": [root["variables"][0], root["variables"][0] | {"name": "v"}]}
    with pytest.raises(ArtifactError, match="variables: vm_global: 'w' appears twice"):
        Manifest.from_json(json.dumps(shared))


def test_variants_share_entries() -> None:
    root = json.loads(MANIFEST.to_json())
    other = json.loads(json.dumps(root["executables"][0]))
    root["executables"].append(other)
    assert Manifest.from_json(json.dumps(root)).executable_names() == ("d0",)
    other["entries"][0]["name"] = "other"
    with pytest.raises(ArtifactError, match="differ"):
        Manifest.from_json(json.dumps(root))
