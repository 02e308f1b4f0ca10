"""Symbols: operations found by name through the table that encloses their user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tesselle.ir.attributes import Attribute, SymbolRef
from tesselle.ir.core import SYMBOL_TABLE, Op


def symbols_of(table: Op) -> Iterator[tuple[str, Op]]:
    """Name and operation of every symbol that stands directly in `table`."""
    for region in table.regions:
        for block in region.blocks:
            for op in block:
                name = op.attributes.get("sym_name")
                if isinstance(name, str):
                    yield name, op


def lookup_in(table: Op, name: str) -> Op | None:
    """The symbol `name` of `table`, or None. O(number of operations of the table)."""
    return next((op for symbol, op in symbols_of(table) if symbol == name), None)


def enclosing_symbol_table(op: Op) -> Op | None:
    """The innermost symbol table around `op` (not `op` itself), or None."""
    parent = op.parent_op
    while parent is not None and SYMBOL_TABLE not in parent.TRAITS:
        parent = parent.parent_op
    return parent


def lookup(user: Op, ref: SymbolRef | str) -> Op | None:
    """What `ref` means at `user`: the search starts in the innermost symbol table and goes outwards."""
    path = (ref,) if isinstance(ref, str) else (ref.root, *ref.nested)
    table = enclosing_symbol_table(user)
    while table is not None:
        found = lookup_in(table, path[0])
        if found is not None:
            for name in path[1:]:
                found = lookup_in(found, name)
                if found is None:
                    return None
            return found
        table = enclosing_symbol_table(table)
    return None


def rename_symbols(table: Op, names: Mapping[str, str]) -> None:
    """Call symbols of `table` by other names, where they are defined and wherever `table` refers to them."""
    for op in table.walk():
        for key, attribute in op.attributes.items():
            op.attributes[key] = _renamed(attribute, names)
    for old, op in list(symbols_of(table)):
        op.attributes["sym_name"] = names.get(old, old)


def _renamed(attribute: Attribute, names: Mapping[str, str]) -> Attribute:
    match attribute:
        case SymbolRef(root, nested) if root in names:
            return SymbolRef(names[root], nested)
        case tuple():
            return tuple(_renamed(a, names) for a in attribute)
        case Mapping():
            return {key: _renamed(a, names) for key, a in attribute.items()}
        case _:
            return attribute
