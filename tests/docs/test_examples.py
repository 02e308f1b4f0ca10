"""The examples of the documentation run, and print what the pages say.

Blocks ```mlir title="NAME" are files, ```python blocks run one after the other, and lines `$ tesselle …` of ```console
blocks print what follows them, where `...` stands for anything; `$ python FILE` runs a file of the page. A page that
imports TensorFlow needs it.
"""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from saved_models import require_tensorflow

from tesselle.cli.app import run_command_line

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.M | re.S)
PAGES = [page for page in sorted(DOCS.glob("*.md")) if BLOCK.search(page.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_examples(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__example__"}
    blocks = BLOCK.findall(page.read_text())
    if any("import tensorflow" in text for _, _, text in blocks):
        require_tensorflow()
    for kind, title, text in blocks:
        if title:
            Path(title).write_text(text)
        elif kind == "python":
            exec(compile(text, f"{page.name}", "exec"), names)
        elif kind == "console":
            _console(text, capsys)


def _console(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for command in re.split(r"^\$ ", text, flags=re.M)[1:]:
        line, _, wanted = command.partition("\n")
        words = shlex.split(line)
        if words[0] == "python":
            subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True)
            continue
        assert words.pop(0) == "tesselle", line
        run_command_line(words)
        printed = "\n".join(row.strip() for row in capsys.readouterr().out.splitlines() if row.strip()) + "\n"
        expected = "\n".join(row.strip() for row in wanted.splitlines() if row.strip()) + "\n"
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert doctest.OutputChecker().check_output(expected, printed, flags), (
            f"{line}\n{printed}\ninstead of\n{expected}"
        )
