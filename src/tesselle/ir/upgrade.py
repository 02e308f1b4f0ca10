"""Operations of older or foreign versions that readers turn into declared ones as they read them.

Text and bytecode find the upgrade of an operation by its dialect; nothing of the old form is ever built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tesselle.ir.core import Op


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What becomes of an operation: an operation of class `cls`.

    `names` are the attributes that the old operation has; `attributes` makes those of the new one (DecodeError when
    they make no sense); `finish` is called for the new operation when its regions are complete.
    """

    cls: type[Op]
    names: tuple[str, ...]
    attributes: Callable[[Mapping[str, Any]], dict[str, Any]]
    finish: Callable[[Op], None] | None = None


UPGRADES: dict[str, Callable[[str], Upgrade | None]] = {}
"""Dialect -> the upgrade of an operation by its full name, None when there is no such operation."""


def find_upgrade(name: str) -> Upgrade | None:
    """The upgrade of an operation; its dialect is loaded already."""
    find = UPGRADES.get(name.partition(".")[0])
    return find(name) if find is not None else None
