"""Options of a compilation, and the mapping between option dataclasses and their text on a command line.

A field of an option dataclass is at once the command-line flag (`target_cpu` is `--target-cpu`), its help text and,
unless it says otherwise, part of the key under which compiled code is cached: nothing is written twice.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tesselle.support.diagnostics import OptionError

T = TypeVar("T")

_HELP = "tesselle.help"
_METAVAR = "tesselle.metavar"
_CACHED = "tesselle.cached"


def option(default: Any, help: str, *, metavar: str = "", cached: bool = True) -> Any:
    """A field of an option dataclass.

    `cached=False` marks an option that cannot change the compiled code (where to write dumps, how many jobs), so that
    it stays out of the cache key.
    """
    return dataclasses.field(default=default, metadata={_HELP: help, _METAVAR: metavar, _CACHED: cached})


@dataclasses.dataclass(frozen=True)
class OptionField:
    """One option as a command line shows it."""

    name: str
    flag: str
    type: Any
    default: Any
    help: str
    metavar: str
    cached: bool

    @property
    def is_flag(self) -> bool:
        """Whether the option is a boolean, spelled `--flag` / `--no-flag`."""
        return self.type is bool


def option_fields(options_class: type[Any]) -> tuple[OptionField, ...]:
    """The options that `options_class`, a frozen dataclass, declares, in order."""
    hints = typing.get_type_hints(options_class)
    return tuple(
        OptionField(
            name=f.name,
            flag="--" + f.name.replace("_", "-"),
            type=_without_none(hints[f.name]),
            default=_default(f),
            help=f.metadata.get(_HELP, ""),
            metavar=f.metadata.get(_METAVAR, "") or f.name.upper(),
            cached=f.metadata.get(_CACHED, True),
        )
        for f in dataclasses.fields(options_class)
    )


def parse_options(options_class: type[T], texts: Mapping[str, str]) -> T:
    """An `options_class` from option names (with `-` or `_`) and the texts of their values.

    Errors: OptionError for a name that is not an option and for a text that is not a value of the option's type.
    """
    fields = {f.name: f for f in option_fields(options_class)}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        found = fields.get(name.replace("-", "_"))
        if found is None:
            known = ", ".join(f.name.replace("_", "-") for f in fields.values()) or "none"
            raise OptionError(f"{options_class.__name__} has no option {name!r}; its options are: {known}")
        values[found.name] = _parse_value(found, found.type, text)
    missing = [f.name for f in fields.values() if f.default is dataclasses.MISSING and f.name not in values]
    if missing:
        raise OptionError(f"{options_class.__name__} needs a value for {', '.join(missing)}")
    return options_class(**values)


def cache_key(options: Any) -> str:
    """A hash over every option that can change the compiled code."""
    digest = hashlib.sha256()
    declared = typing.cast("type[Any]", type(options))
    for f in option_fields(declared):
        if f.cached:
            digest.update(f"{f.name}={getattr(options, f.name)!r};".encode())
    return digest.hexdigest()


def _default(f: dataclasses.Field[Any]) -> Any:
    if f.default is dataclasses.MISSING and f.default_factory is not dataclasses.MISSING:
        return f.default_factory()
    return f.default


def _without_none(hint: Any) -> Any:
    """`X | None` -> `X`: an option that is not given is None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [a for a in typing.get_args(hint) if a is not types.NoneType]
        if len(parts) == 1:
            return parts[0]
    return hint


def _parse_value(f: OptionField, kind: Any, text: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        choices = [str(c) for c in typing.get_args(kind)]
        if text in choices:
            return typing.get_args(kind)[choices.index(text)]
        raise OptionError(f"{f.flag}: {text!r} is not one of {', '.join(choices)}")
    if origin is tuple:
        element = typing.get_args(kind)[0]
        return tuple(_parse_value(f, element, part) for part in text.split(",") if part)
    if kind is bool:
        if text.lower() in ("", "true", "1", "yes", "on"):
            return True
        if text.lower() in ("false", "0", "no", "off"):
            return False
        raise OptionError(f"{f.flag}: {text!r} is neither true nor false")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        found = next((m for m in kind if str(m.value) == text), None)
        if found is None:
            raise OptionError(f"{f.flag}: {text!r} is not one of {', '.join(str(m.value) for m in kind)}")
        return found
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise OptionError(f"{f.flag}: {text!r} is not {'an integer' if kind is int else 'a number'}") from None
    if kind in (str, Path):
        return kind(text)
    raise TypeError(f"option {f.name} has a type without a text form: {kind}")


@dataclasses.dataclass(frozen=True)
class CompileOptions:
    """How `tesselle.compile` compiles. Every field is a flag of `tesselle compile`."""

    target_cpu: str = option(
        "host",
        "CPU that the kernels are for: host, x86-64-v3, x86-64-v4 or generic.",
        metavar="CPU",
    )
    compile_from: str | None = option(
        None, "Phase that the source is already through; compilation goes on with the next.", metavar="PHASE"
    )
    compile_to: str | None = option(
        None, "Last phase to run; the result is that phase's IR instead of an artifact.", metavar="PHASE"
    )
    dump_phases: Path | None = option(
        None, "Folder that receives the IR after every phase.", metavar="DIR", cached=False
    )
    verify_each: bool = option(False, "Verify the IR after every pass, not only after every phase.", cached=False)
    jobs: int = option(0, "Compiler processes at work side by side; 0: one per core.", metavar="N", cached=False)
    cache_dir: Path | None = option(
        None, "Folder that keeps compiled code between runs; without it nothing is kept.", metavar="DIR", cached=False
    )
    functions: tuple[str, ...] = option(
        (), "Functions of a SavedModel to compile, and no others [default: all].", metavar="NAME,…"
    )
    weights: Path | None = option(
        None,
        "A safetensors file, whose tensors take the place of a SavedModel's variables of their names.",
        metavar="FILE",
    )
    custom_calls: tuple[str, ...] = option(
        (), "Targets of custom calls that the process which loads the artifact registers.", metavar="NAME,…"
    )

    def __post_init__(self) -> None:
        if self.jobs < 0:
            raise OptionError(f"--jobs: {self.jobs} is negative")
