"""Whatever a person or a file gets wrong: one clear error with a place and a reason, exit code 1, nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tesselle as ts
from tesselle.cli.app import run_command_line

SOURCE = """\
module @m {
  func.func public @main(%x: tensor<2x3xf32>, %y: tensor<3xf32>) -> tensor<2x3xf32> {
    %0 = stablehlo.broadcast_in_dim %y, dims = [1] : (tensor<3xf32>) -> tensor<2x3xf32>
    %1 = stablehlo.add %x, %0 : tensor<2x3xf32>
    return %1 : tensor<2x3xf32>
  }
}
"""
GOOD = ["--input", "2x3xf32=1,2,3,4,5,6", "--input", "3xf32=1,1,1"]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bad_input") / "good.tsl"
    ts.compile(SOURCE, targets=["cpu"]).save(path)
    return path


def tesselle(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tesselle", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def fails(process: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 1, no traceback, an error that says each of `words`, in few lines."""
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr
    assert "error" in process.stderr
    assert len(process.stderr.splitlines()) < 12
    for word in words:
        assert word in process.stderr, process.stderr


def test_good_input_runs(artifact: Path) -> None:
    process = tesselle("run", artifact, *GOOD)
    assert process.returncode == 0, process.stderr
    assert "7" in process.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input", "2x3xi32=1,2,3,4,5,6", "--input", "3xf32=1,1,1"], ("i32", "f32", "main")),
        (["--input", "3x2xf32=1,2,3,4,5,6", "--input", "3xf32=1,1,1"], ("3x2", "2x3")),
        (["--input", "6xf32=1,2,3,4,5,6", "--input", "3xf32=1,1,1"], ("rank",)),
        (["--input", "2x3xf32=1,2,3,4,5,6"], ("1", "2", "argument")),
        ([*GOOD, "--input", "3xf32=1,1,1"], ("3", "2", "argument")),
        ([*GOOD, "--function", "missing"], ("missing", "main")),
        (["--input", "2x3xf32=1,2,3", "--input", "3xf32=1,1,1"], ("3", "6")),
        (["--input", "2x3xq7=1", "--input", "3xf32=1,1,1"], ("q7",)),
        (["--input", "2x3xf32=a,b,c,d,e,f", "--input", "3xf32=1,1,1"], ("a",)),
        (["--input", "@no_such_file.npy", "--input", "3xf32=1,1,1"], ("no_such_file.npy",)),
    ],
    ids=["dtype", "shape", "rank", "too few", "too many", "function", "elements", "type name", "number", "file"],
)
def test_wrong_arguments(artifact: Path, arguments: list[str], words: tuple[str, ...]) -> None:
    fails(tesselle("run", artifact, *arguments), *words)


def test_wrong_arguments_from_python(artifact: Path) -> None:
    main = ts.load(artifact)["main"]
    x, y = np.ones((2, 3), np.float32), np.ones(3, np.float32)
    for arguments, names, words in [
        ((x.astype(np.float64), y), {}, ("f64", "f32")),
        ((x.T, y), {}, ("3x2", "2x3")),
        ((x[0], y), {}, ("rank",)),
        ((x,), {}, ("argument",)),
        ((x, y, y), {}, ("argument",)),
        ((x,), {"z": y}, ("z",)),
        ((object(), y), {}, ("object",)),
    ]:
        with pytest.raises(ts.InvocationError) as caught:
            main(*arguments, **names)
        for word in words:
            assert word in str(caught.value)
    np.testing.assert_array_equal(main(x, y), x + y)


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("stablehlo.add", "stablehlo.frobnicate", "4:", ("stablehlo.frobnicate",)),
        ("stablehlo.add %x, %0 : tensor<2x3xf32>", "stablehlo.add %x, %0 : tensor<2x3xg32>", "4:", ("g32",)),
        ("stablehlo.add %x, %0", "stablehlo.add %x, %9", "4:", ("%9",)),
        ("module @m", 'module @"m', "1:", ("string",)),
        ("dims = [1]", "dims = [2]", "3:", ("2",)),
        ("return %1 : tensor<2x3xf32>", "return %1 : tensor<2x4xf32>", "5:", ("2x4",)),
        ("  }\n}", "  }", "", ("end",)),
        ("%1 = stablehlo.add", "%0 = stablehlo.add", "4:", ("%0",)),
    ],
    ids=["unknown op", "bad type", "undefined", "unterminated string", "rule", "type of use", "end of file", "twice"],
)
def test_malformed_mlir(tmp_path: Path, old: str, new: str, place: str, words: tuple[str, ...]) -> None:
    assert old in SOURCE
    path = tmp_path / "bad.mlir"
    path.write_text(SOURCE.replace(old, new))
    fails(tesselle("compile", path, "-o", tmp_path / "out.tsl"), f"bad.mlir:{place}", *words)
    assert not (tmp_path / "out.tsl").exists()


def test_damaged_artifacts(artifact: Path, tmp_path: Path) -> None:
    good = artifact.read_bytes()
    bad = tmp_path / "bad.tsl"
    for damaged in (b"", good[:10], good[: len(good) // 2], good[:-1], b"not an artifact" * 9, good[::-1]):
        bad.write_bytes(damaged)
        fails(tesselle("run", bad, *GOOD), "bad.tsl")
    fails(tesselle("run", tmp_path / "missing.tsl", *GOOD), "missing.tsl")
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("hello.txt", "a ZIP file of somebody else")
    fails(tesselle("run", bad, *GOOD), "bad.tsl")


def test_every_flipped_byte_of_manifest_and_host_program_is_found(artifact: Path, tmp_path: Path) -> None:
    good = artifact.read_bytes()
    bad = tmp_path / "bad.tsl"
    with zipfile.ZipFile(artifact) as archive:
        spans = {i.filename: i for i in archive.infolist() if i.filename in ("manifest.json", "host.vm")}
        contents = {name: archive.read(name) for name in spans}
    assert len(spans) == 2
    for name, content in contents.items():
        start = good.index(content)
        for at in range(start, start + len(content)):
            damaged = bytearray(good)
            damaged[at] ^= 1 << (at % 8)
            bad.write_bytes(damaged)
            with pytest.raises(ts.ArtifactError) as caught:
                ts.load(bad)
            assert "bad.tsl" in str(caught.value), name


def test_artifacts_of_the_future_are_refused(artifact: Path, tmp_path: Path) -> None:
    bad = tmp_path / "future.tsl"
    with zipfile.ZipFile(artifact) as old, zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename == "manifest.json":
                manifest = json.loads(content)
                major = manifest["schema_version"][0]
                manifest["schema_version"] = [major + 1, 0]
                content = json.dumps(manifest).encode()
            new.writestr(item, content)
    fails(tesselle("run", bad, *GOOD), "future.tsl", f"{major + 1}.0")


def test_a_program_is_not_an_artifact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.mlir"
    path.write_text(SOURCE)
    assert run_command_line(["dump", str(path)]) == 1
    error = capsys.readouterr().err
    assert error == f"error: {path} is a program, not an artifact: tesselle compile {path} makes one\n"


def test_a_folder_that_is_not_there_is_told_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.mlir"
    path.write_text(SOURCE)
    target = tmp_path / "none" / "x.tsl"
    assert run_command_line(["compile", str(path), "-o", str(target)]) == 1
    assert capsys.readouterr().err == f"error: cannot write {target}: there is no folder {target.parent}\n"
