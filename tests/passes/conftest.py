"""Files `*.mlir` with lines `// RUN: tesselle opt --pass NAME %s | filecheck %s` are tests.

The passes run in this process, and so does filecheck; `// -----` separates parts that are handled one by one.
"""

from __future__ import annotations

import itertools
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_RUN = re.compile(r"^// RUN: tesselle opt (.*) %s \| filecheck %s$", re.MULTILINE)
_SPLIT = re.compile(r"(?m)^// -----\s*$\n?")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return PassFile.from_parent(parent, path=file_path) if file_path.suffix == ".mlir" else None


class PassFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        text = self.path.read_text()
        runs = _RUN.findall(text)
        if not runs:
            raise ValueError(f"{self.path} has no RUN line of the form '{_RUN.pattern}'")
        for i, arguments in enumerate(runs):
            yield PassTest.from_parent(self, name=f"run{i}", arguments=arguments, text=text)


class PassTest(pytest.Item):
    def __init__(self, *, arguments: str, text: str, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]  # pytest's own arguments
        self.arguments = arguments
        self.text = text

    def runtest(self) -> None:
        from filecheck.main import main as filecheck

        from tesselle.cli.opt import import_passes
        from tesselle.ir.passes import Fact, Pipeline, parse_pass
        from tesselle.ir.text import parse_module, print_op
        from tesselle.ir.verify import verify_all
        from tesselle.support.diagnostics import TesselleError

        import_passes()
        words = shlex.split(self.arguments)
        passes = tuple(parse_pass(w) for flag, w in itertools.pairwise(words) if flag == "--pass")
        shown: list[str] = []
        for part in _SPLIT.split(self.text):
            try:
                module = parse_module(part, self.path.name)
                verify_all(module)
                Pipeline(passes, start=frozenset(Fact), verify_each=True).run(module)
                shown.append(print_op(module))
            except TesselleError as error:
                if "--errors" not in words:
                    raise
                shown.append(str(error))
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / f"{self.path.stem}.out"
            out.write_text("\n".join(shown))
            with pytest.raises(SystemExit) as ended:
                filecheck(["filecheck", str(self.path), "--input-file", str(out)])
        assert not ended.value.code, f"{self.path.name}: see the mismatch above"

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"tesselle opt {self.arguments}"
