"""Option dataclasses and their text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tesselle.support.diagnostics import OptionError
from tesselle.support.options import CompileOptions, cache_key, option, option_fields, parse_options


@dataclass(frozen=True)
class Sample:
    tile: tuple[int, ...] = (4, 4)
    mode: Literal["fast", "small"] = "fast"
    scale: float = option(1.0, "A factor.")
    fold: bool = True
    path: Path | None = option(None, "Somewhere.", cached=False)


def test_parse() -> None:
    parsed = parse_options(Sample, {"tile": "8,16", "mode": "small", "scale": "0.5", "fold": "false", "path": "x/y"})
    assert parsed == Sample((8, 16), "small", 0.5, False, Path("x/y"))
    assert parse_options(Sample, {}) == Sample()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"nope": "1"}, "has no option 'nope'; its options are: tile, mode, scale, fold, path"),
        ({"mode": "big"}, "--mode: 'big' is not one of fast, small"),
        ({"scale": "x"}, "--scale: 'x' is not a number"),
        ({"tile": "1,b"}, "--tile: 'b' is not an integer"),
        ({"fold": "maybe"}, "neither true nor false"),
    ],
)
def test_wrong_text(texts: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_options(Sample, texts)


def test_flags_come_from_the_fields() -> None:
    fields = {f.name: f for f in option_fields(CompileOptions)}
    assert fields["target_cpu"].flag == "--target-cpu"
    assert fields["dump_phases"].type is Path
    assert all(f.help for f in fields.values())


def test_only_what_changes_code_is_in_the_cache_key() -> None:
    assert cache_key(Sample(path=Path("a"))) == cache_key(Sample(path=Path("b")))
    assert cache_key(Sample(scale=2.0)) != cache_key(Sample())
    assert cache_key(CompileOptions(jobs=1)) == cache_key(CompileOptions(jobs=2))
    assert cache_key(CompileOptions(target_cpu="generic")) != cache_key(CompileOptions())


def test_bad_values_are_refused_in_python_too() -> None:
    with pytest.raises(OptionError, match="--jobs: -1 is negative"):
        CompileOptions(jobs=-1)
