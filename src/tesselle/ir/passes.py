"""Passes and the facts that order them.

A pass is a frozen dataclass: its fields are its options, its command-line flags and part of cache keys. It says which
facts about the IR it needs, gives and breaks; `Pipeline` checks when it is built that every need is met.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from tesselle.ir.core import Op
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import CompilerError, OptionError, TesselleError
from tesselle.support.options import parse_options

PassT = TypeVar("PassT", bound="Pass")


class Fact(enum.Enum):
    """What holds for a whole module between passes."""

    INPUT = "StableHLO with inlined calls, composites and CHLO expanded"
    LINALG = "no StableHLO is left: linalg, tensor, arith, math, scf"
    FUSED = "elementwise chains are single generic ops"
    DISPATCHES = "all computation on tensors stands in flow.dispatch.region"
    OUTLINED = "dispatch regions are executables, deduplicated"
    STREAM = "tensors are resources of stream; work is in stream.async"
    SCHEDULED = "stream.cmd with one packed arena per invocation"
    HAL = "devices, buffers, command buffers; executables have variants"
    VM = "the host program is vm"


class Pass:
    """Base of passes; subclasses are frozen dataclasses registered with `@register_pass`."""

    NAME: ClassVar[str] = ""
    NEEDS: ClassVar[frozenset[Fact]] = frozenset()
    GIVES: ClassVar[frozenset[Fact]] = frozenset()
    BREAKS: ClassVar[frozenset[Fact]] = frozenset()

    def run(self, module: Op) -> None:
        """Rewrite `module` in place."""
        raise TypeError(f"{type(self).__name__} does not say what it does")

    def describe(self) -> str:
        """The pass as `opt` takes it: `name{option=value}`."""
        options = ",".join(
            f"{f.name}={getattr(self, f.name)}"
            for f in dataclasses.fields(self)  # type: ignore[arg-type]  # every pass is a dataclass
            if f.compare  # hooks for reports are no options
        )
        return f"{self.NAME}{{{options}}}" if options else self.NAME


PASSES: dict[str, type[Pass]] = {}
"""Every registered pass by name; filled as pass modules are imported."""


def register_pass(
    name: str,
    *,
    needs: Sequence[Fact] = (),
    gives: Sequence[Fact] = (),
    breaks: Sequence[Fact] = (),
) -> Callable[[type[PassT]], type[PassT]]:
    """Register a pass class under its command-line name, with the facts that it needs, gives and breaks."""

    def declare(cls: type[PassT]) -> type[PassT]:
        if name in PASSES:
            raise ValueError(f"pass {name} is registered twice")
        cls.NAME, cls.NEEDS, cls.GIVES, cls.BREAKS = name, frozenset(needs), frozenset(gives), frozenset(breaks)
        PASSES[name] = cls
        return cls

    return declare


def parse_pass(text: str) -> Pass:
    """Make a pass from `name` or `name{option=value,…}`; OptionError when there is no such pass or option."""
    match = re.fullmatch(r"([\w.-]+)(?:\{(.*)\})?", text.strip())
    if match is None or match[1] not in PASSES:
        known = ", ".join(sorted(PASSES))
        raise OptionError(f"there is no pass '{text}'; known passes: {known}")
    texts: dict[str, str] = {}
    for part in filter(None, (match[2] or "").split(",")):
        key, _, value = part.partition("=")
        texts[key.strip()] = value.strip()
    return parse_options(PASSES[match[1]], texts)


@dataclass(frozen=True)
class PassTiming:
    name: str
    seconds: float


@dataclass
class Pipeline:
    """Passes in order; the order is checked against the facts when the pipeline is built."""

    passes: tuple[Pass, ...]
    start: frozenset[Fact] = frozenset()
    verify_each: bool = False
    timings: list[PassTiming] = field(default_factory=list[PassTiming])

    def __post_init__(self) -> None:
        facts = set(self.start)
        for p in self.passes:
            missing = p.NEEDS - facts
            if missing:
                names = ", ".join(sorted(f.name for f in missing))
                raise ValueError(f"pass {p.NAME} needs {names}, which nothing before it gives")
            facts -= p.BREAKS
            facts |= p.GIVES
        self.facts = frozenset(facts)

    def run(self, module: Op, on_pass: Callable[[Pass], None] | None = None) -> None:
        """Run every pass; an exception that is not a diagnostic becomes CompilerError naming the pass."""
        for p in self.passes:
            started = time.perf_counter()
            try:
                p.run(module)
                if self.verify_each:
                    verify(module)
            except TesselleError as error:
                if self.verify_each:
                    error.add_note_at(f"in pass {p.describe()}")
                raise
            except RecursionError as error:
                raise CompilerError(f"pass {p.describe()}: the program is nested too deeply") from error
            except Exception as error:
                raise CompilerError(
                    f"pass {p.describe()} failed: {type(error).__name__}: {error}",
                    notes=(),
                ) from error
            self.timings.append(PassTiming(p.NAME, time.perf_counter() - started))
            if on_pass is not None:
                on_pass(p)
