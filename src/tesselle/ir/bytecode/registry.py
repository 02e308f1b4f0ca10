"""What dialects add to the bytecode: their own encodings of attributes and types, and how their operations are read.

A dialect is found by its name: the module `bytecode` beside its declarations (`tesselle.dialects.NAME.bytecode`, or
`tesselle.dialects.core.bytecode.NAME`) registers them, and is imported when a file names the dialect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from tesselle.ir.core import Op, UnregisteredOp
from tesselle.ir.declare import OPS, FieldKind, spec_of
from tesselle.ir.text.registry import import_if_there, load_dialect
from tesselle.ir.types import Type
from tesselle.ir.upgrade import Upgrade, find_upgrade

if TYPE_CHECKING:
    from tesselle.ir.bytecode.entries import Entry

ReadAttribute: TypeAlias = "Callable[[Entry], Any]"
ReadType: TypeAlias = "Callable[[Entry], Type]"

ATTRIBUTE_READERS: dict[str, Mapping[int, ReadAttribute]] = {}
"""Dialect -> code -> reader of what follows the code."""

TYPE_READERS: dict[str, Mapping[int, ReadType]] = {}
"""Dialect -> code -> reader of what follows the code."""


@dataclass(frozen=True, slots=True)
class Property:
    """An attribute in the properties of an operation; one that is not required is there or not."""

    name: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class OpForm:
    """How operations of one name are read.

    `properties` are those that the producer's declaration has, by name; native segment sizes follow, of as many groups
    as `operand_groups` and `result_groups` say (0: no sizes are written).
    """

    cls: type[Op]
    properties: tuple[Property, ...] = ()
    operand_groups: int = 0
    result_groups: int = 0
    upgrade: Upgrade | None = None


PROPERTIES: dict[str, tuple[Property, ...]] = {}
"""Properties of operations whose declaration by the producer has others than ours."""

_known: dict[str, bool] = {}


def properties(text: str) -> tuple[Property, ...]:
    """Properties from their names; a question mark stands behind those that may be absent."""
    return tuple(Property(name.removesuffix("?"), not name.endswith("?")) for name in sorted(text.split()))


def load_bytecode(dialect: str) -> None:
    """Import what the dialect adds, when there is such a dialect."""
    if dialect in _known:
        return
    _known[dialect] = True
    if not re.fullmatch(r"[a-z][a-z0-9_]*", dialect):
        return
    load_dialect(dialect)
    for module in (f"tesselle.dialects.{dialect}.bytecode", f"tesselle.dialects.core.bytecode.{dialect}"):
        import_if_there(module)


def find_form(name: str) -> OpForm | None:
    """The form of an operation; None when it is not known."""
    dialect = name.partition(".")[0]
    load_bytecode(dialect)
    upgrade = find_upgrade(name)
    if upgrade is not None:
        return OpForm(upgrade.cls, tuple(map(Property, sorted(upgrade.names))), upgrade=upgrade)
    cls = OPS.get(name)
    if cls is None:
        return None
    spec = spec_of(cls)
    named = PROPERTIES.get(name)
    if named is None:
        declared = sorted(spec.attributes, key=lambda f: f.attr_name)
        named = tuple(Property(f.attr_name, not f.has_default) for f in declared)
    return OpForm(cls, named, len(spec.operands) if spec.has_segments else 0, result_groups(cls))


def unregistered_form(name: str) -> OpForm:
    """The form of an operation that nobody declares; its properties cannot be read."""
    return OpForm(UnregisteredOp.named(name))


def result_groups(cls: type[Op]) -> int:
    """How many groups of results have their sizes written."""
    if cls.result_segments is Op.result_segments:
        return 0
    return len([f for f in spec_of(cls).operands if f.kind is FieldKind.VARIADIC])
