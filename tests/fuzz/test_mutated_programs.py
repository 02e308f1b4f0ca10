"""Damaged texts and bytecodes give diagnostics: no exception of Python, no hang, no exhausted memory.

`pytest tests/fuzz --mutations 100000 --mutation-seed 7` looks longer.
"""

from __future__ import annotations

import faulthandler
import gc
import io
import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fuzz.mutators import mutate_bytes, mutate_text

from tesselle.frontends.stablehlo import import_source
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import TesselleError

DATA = Path(__file__).parents[1] / "ir" / "data"
SECONDS = 10.0
"""What a damaged program may take; sound ones of this size take a hundredth of it."""
MEMORY_MB = 400
"""How much the process may grow over all cases."""


@pytest.fixture
def mutations(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--mutations"))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(int(request.config.getoption("--mutation-seed")))


@pytest.fixture
def watchdog() -> Iterator[None]:
    """A case that hangs ends the process with a trace of where it hangs."""
    faulthandler.dump_traceback_later(600, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def texts() -> list[str]:
    """Functions of the stored texts, and whole small ones."""
    found = [p.read_text() for p in sorted(DATA.glob("*.mlir"))]
    return [*(t for t in found if len(t) < 6000), *(piece for t in found for piece in pieces(t))]


def pieces(text: str) -> list[str]:
    """Runs of lines in a function of their own."""
    lines = text.split("\n")
    return ["\n".join([lines[0], *lines[i : i + 15]]) for i in range(1, len(lines), 15)]


def bytecodes() -> list[bytes]:
    """Bytecode of stored texts in several versions of the format, and of VHLO."""
    ir = pytest.importorskip("jaxlib.mlir.ir")
    from jaxlib.mlir._mlir_libs import _stablehlo
    from tests.ir.test_text_jaxlib import context

    found: list[bytes] = []
    for name in ("stablehlo_generic", "stablehlo_pretty", "stablehlo_more", "chlo", "jax_lstm", "jax_sort"):
        text = (DATA / f"{name}.mlir").read_text()
        with context():
            module = ir.Module.parse(text)
            for version in (0, 4, 5, 6):
                file = io.BytesIO()
                module.operation.write_bytecode(file, desired_version=version)
                found.append(file.getvalue())
        if name == "jax_lstm":
            found += [_stablehlo.serialize_portable_artifact_str(text, v) for v in ("0.9.0", "1.0.0", "1.17.0")]
    return found


def check(read: Callable[[], Any]) -> str:
    """Reading may fail with a diagnostic only, in time; what is read can be printed."""
    started = time.perf_counter()
    outcome, message = "read", "nothing to say"
    try:
        module = read()
        print_op(module)
    except TesselleError as error:
        outcome, message = type(error).__name__, str(error)
    assert message
    assert time.perf_counter() - started < SECONDS
    return outcome


def resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(cases: Iterator[Callable[[], Any]], describe: Callable[[], object]) -> dict[str, int]:
    outcomes: dict[str, int] = {}
    before = resident_mb()
    for i, read in enumerate(cases):
        try:
            outcome = check(read)
        except BaseException:
            print(describe())
            raise
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if i % 100 == 0:
            gc.collect()
        assert resident_mb() - before < MEMORY_MB, describe()
    return outcomes


@pytest.mark.usefixtures("watchdog")
def test_mutated_texts(mutations: int, rng: random.Random) -> None:
    sources = texts()
    last: list[str] = [""]

    def cases() -> Iterator[Callable[[], Any]]:
        for _ in range(mutations):
            text = last[0] = mutate_text(rng.choice(sources), sources, rng)
            yield lambda text=text: read_text(text)

    outcomes = run(cases(), lambda: last[0])
    assert outcomes.get("ParseError", 0) > mutations // 4


def read_text(text: str) -> Any:
    module = parse_module(text, "mutated.mlir", allow_unregistered=True)
    verify(module)
    return module


@pytest.mark.usefixtures("watchdog")
def test_mutated_bytecodes(mutations: int, rng: random.Random) -> None:
    sources = bytecodes()
    last: list[bytes] = [b""]

    def cases() -> Iterator[Callable[[], Any]]:
        for _ in range(mutations):
            data = last[0] = mutate_bytes(rng.choice(sources), sources, rng)
            yield lambda data=data: import_source(data)

    outcomes = run(cases(), lambda: last[0])
    assert outcomes.get("ParseError", 0) > mutations // 4


def test_truncated_bytecodes() -> None:
    """Cut off at any byte, a file is refused."""
    for data in bytecodes()[:4]:
        step = max(1, len(data) // 150)
        for size in range(4, len(data), step):
            with pytest.raises(TesselleError):
                import_source(data[:size])
