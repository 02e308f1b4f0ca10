"""What dialects add to the text: forms of operations, attributes and types.

A dialect is found by its name: the package or module `tesselle.dialects.<name>` or `tesselle.dialects.core.<name>`
declares the operations, and a module `assembly` beside it (`tesselle.dialects.core.assembly.<name>` for core dialects)
registers the forms of its text, when it has any beyond the generic one. Both are imported when the name is first met.
"""

from __future__ import annotations

import enum
import importlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tesselle.ir.core import Op
from tesselle.ir.types import Type

if TYPE_CHECKING:
    from tesselle.ir.text.parser import Parser
    from tesselle.ir.text.printer import Printer

OpT = TypeVar("OpT", bound=Op)

ParseOp = Callable[["Parser"], Op]
PrintOp = Callable[["Printer", Any], None]


@dataclass(frozen=True, slots=True)
class Assembly:
    """The pretty form of an operation.

    `parse` reads what follows the operation's name and returns it detached; `print` writes that text. `print` may
    leave an operation to the generic form by returning without having written anything.
    """

    parse: ParseOp
    print: PrintOp


@dataclass(frozen=True, slots=True)
class EnumText:
    """An enumeration written `#dialect<mnemonic VALUE>`."""

    dialect: str
    mnemonic: str
    cls: type[enum.Enum]


ASSEMBLIES: dict[str, Assembly] = {}
"""Pretty forms by the name of the operation."""

ATTRIBUTE_PARSERS: dict[str, Callable[[Parser], Any]] = {}
"""Readers of `#dialect.name<…>` by `dialect.name`; they read everything behind the name."""

TYPE_PARSERS: dict[str, Callable[[Parser], Type]] = {}
"""Readers of `!dialect.name<…>` by `dialect.name`; they read everything behind the name."""

ENUMS: dict[tuple[str, str], type[enum.Enum]] = {}
"""Enumerations written `#dialect<mnemonic VALUE>` by (dialect, mnemonic)."""

ENUM_TEXTS: dict[type[enum.Enum], EnumText] = {}

_known: dict[str, bool] = {}


def register_assembly(cls: type[Op] | str, parse: ParseOp, print: PrintOp) -> None:
    """Give the operation a pretty form."""
    ASSEMBLIES[cls if isinstance(cls, str) else cls.NAME] = Assembly(parse, print)


def register_enum(dialect: str, mnemonic: str, cls: type[enum.Enum]) -> None:
    ENUMS[dialect, mnemonic] = cls
    ENUM_TEXTS[cls] = EnumText(dialect, mnemonic, cls)


def register_simple_type(type: Type) -> None:
    """A type whose text is its name alone."""
    TYPE_PARSERS[str(type)[1:]] = lambda _: type


def load_dialect(name: str) -> bool:
    """Import the dialect `name` and its text forms; False when there is none."""
    known = _known.get(name)
    if known is None:
        known = _known[name] = bool(re.fullmatch(r"[a-z][a-z0-9_]*", name)) and _import_dialect(name)
    return known


def _import_dialect(name: str) -> bool:
    modules = (
        f"tesselle.dialects.core.{name}",
        f"tesselle.dialects.{name}",
        f"tesselle.dialects.core.assembly.{name}",
        f"tesselle.dialects.{name}.assembly",
    )
    found = [import_if_there(module) for module in modules]
    return any(found)


def import_if_there(module: str) -> bool:
    """Import a module; False when there is none of that name."""
    try:
        exists = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent is no package
        exists = False
    if exists:
        importlib.import_module(module)
    return exists
