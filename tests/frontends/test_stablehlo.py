"""Programs from files, texts and bytes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tesselle as ts
from tesselle.cli.app import tesselle
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.frontends import import_program
from tesselle.frontends.stablehlo import import_source
from tesselle.support.diagnostics import ParseError, Unsupported, VerifyError

TEXT = """\
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = stablehlo.negate %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}
"""


def test_text_path_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "model.mlir"
    path.write_text(TEXT)
    for source in (TEXT, path, str(path), TEXT.encode()):
        module = import_source(source)
        assert isinstance(module, ModuleOp)
        assert module.lookup("main") is not None
        assert import_program(source).lookup("main") is not None
    assert import_program(import_source(TEXT)).lookup("main") is not None


def bytecode() -> bytes:
    ir = pytest.importorskip("jaxlib.mlir.ir")
    from tests.ir.test_text_jaxlib import context

    file = io.BytesIO()
    with context():
        ir.Module.parse(TEXT).operation.write_bytecode(file)
    return file.getvalue()


def test_bytecode_wherever_text_is_taken(tmp_path: Path) -> None:
    """As bytes, as a file of any name, compiled, and on the command line."""
    data = bytecode()
    x = np.array([1, -2], np.float32)
    for name in ("model.mlirbc", "model.mlir.bc", "model.mlir"):
        path = tmp_path / name
        path.write_bytes(data)
        for source in (path, str(path), data):
            assert import_program(source).lookup("main") is not None
        printed = CliRunner().invoke(tesselle, ["opt", str(path)])
        assert printed.exit_code == 0
        assert "stablehlo.negate" in printed.stdout
        result = ts.load(ts.compile(path))["main"](x)
        np.testing.assert_array_equal(np.asarray(result), -x)
    piped = CliRunner().invoke(tesselle, ["opt", "-"], input=data)
    assert piped.exit_code == 0
    assert piped.stdout == printed.stdout


def test_damaged_bytecode_names_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "model.mlirbc"
    path.write_bytes(bytecode()[:-9])
    with pytest.raises(ParseError) as caught:
        import_source(path)
    assert str(caught.value).startswith(f"{path}:0x")


def test_diagnostics_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.mlir"
    path.write_text(TEXT.replace("-> tensor<2xf32> {", "-> tensor<3xf32> {"))
    with pytest.raises(VerifyError) as caught:
        import_source(path)
    assert str(caught.value).startswith(f"{path}:3:3: error[func.return.type]")


def test_every_broken_operation_is_listed() -> None:
    text = TEXT.replace("  return", "  %1 = stablehlo.iota dim = 5 : tensor<2xf32>\n  return").replace(
        "stablehlo.negate %x : tensor<2xf32>", "stablehlo.negate %x : (tensor<2xf32>) -> tensor<3xf32>"
    )
    with pytest.raises(VerifyError) as caught:
        import_source(text.replace("return %0 : tensor<2xf32>", "return %x : tensor<2xf32>"))
    assert [d.rule for d in caught.value.diagnostics] == ["stablehlo.negate.type", "stablehlo.iota.C1"]


def test_other_sources() -> None:
    with pytest.raises(Unsupported, match="bytecode"):
        import_source(b"ML\xefR\x06StableHLO")
    with pytest.raises(ParseError, match="neither MLIR text nor MLIR bytecode"):
        import_source(b"\xff\xfe\x00")
    with pytest.raises(FileNotFoundError):
        import_source("no_such_file.mlir")
    with pytest.raises(TypeError, match="is no program"):
        import_program(5)
