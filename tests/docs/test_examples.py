"""The Python of the pages that stand on their own runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tesselle as ts

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("custom_calls.md",)
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_examples(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks of a page are one script, in a folder of its own."""
    blocks = _BLOCK.findall((DOCS / page).read_text())
    assert blocks
    monkeypatch.chdir(tmp_path)
    try:
        exec(compile("\n".join(blocks), page, "exec", dont_inherit=True), {"__name__": "example"})
    finally:
        for target in ("demo.trapezoid", "demo.square"):
            ts.unregister_custom_call(target)
