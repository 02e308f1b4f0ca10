"""What a text defines beside its operations: aliases, resources, and constants whose elements it leaves out."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tesselle.ir.attributes import Attribute, DenseElements
from tesselle.ir.text.locations import LocationParser
from tesselle.ir.types import TensorType, Type, VectorType
from tesselle.support.diagnostics import ParseError
from tesselle.support.locations import Location

Arrays = Iterator[np.ndarray[Any, np.dtype[Any]]]


MAX_WEIGHT = 1 << 20
"""Definitions that one may consist of, counting those it shares as often as it uses them.

A short file can define what would fill any memory when it is written out.
"""


class DefinitionParser(LocationParser):
    """Knows the aliases and resources of its text from the start, for their uses may come first."""

    def __init__(self, text: str, file: str, elided: Arrays | None = None) -> None:
        super().__init__(text, file)
        self._elided = elided
        self._aliases: dict[str, int] = {}
        self._alias_values: dict[str, tuple[Any, int]] = {}
        self._alias_open: set[str] = set()
        self._alias_weights: dict[str, int] = {}
        self._weight = 0
        self._enclosing: DefinitionParser | None = None
        self._resources: dict[str, str] = {}
        self._scan_aliases()

    def _scan_aliases(self) -> None:
        """Find the definitions of aliases and the metadata section, which may follow their uses."""
        tokens = self.tokens
        for first in self._firsts:
            token = tokens[first]
            if not token:
                continue
            if token[0] in "#!":
                if tokens[first + 1] == "=":
                    if token in self._aliases and self._aliases[token] != first + 2:
                        self.fail(f"alias {token} is defined twice", first)
                    self._aliases[token] = first + 2
            elif token == "{-#":
                self.pos = first
                self.metadata()
                self.pos = 0

    def alias(self, token: str) -> tuple[Any, int]:
        """The value of an alias and the index of the token behind its definition."""
        found = self._alias_values.get(token)
        if found is not None:
            self._weight += self._alias_weights[token]
            return found
        at = self._aliases[token]
        if token in self._alias_open:
            self.fail(f"alias {token} is defined by itself", at)
        self._alias_open.add(token)
        saved, outer = self.pos, self._weight
        self.pos, self._weight = at, 1
        if token[0] == "!":
            value: Any = self.type()
        else:
            value = self.location() if self.tokens[at] == "loc" else self.any_attribute()
        weight = self._alias_weights[token] = self._weight
        if weight > MAX_WEIGHT:
            self.fail(f"alias {token} consists of more than {MAX_WEIGHT} others", at)
        found = self._alias_values[token] = (value, self.pos)
        self.pos, self._weight = saved, outer + weight
        self._alias_open.discard(token)
        return found

    def type_alias(self, name: str) -> Type | None:
        return self._alias_value(f"!{name}")

    def attribute_alias(self, name: str) -> Attribute | None:
        return self._alias_value(f"#{name}")

    def _alias_value(self, token: str) -> Any:
        if token in self._aliases:
            return self.alias(token)[0]
        return self._enclosing._alias_value(token) if self._enclosing is not None else None

    def location_alias(self, name: str) -> Location | None:
        token = f"#{name}"
        value = self.alias(token)[0] if token in self._aliases else None
        return value if isinstance(value, Location) else None

    def metadata(self) -> None:
        """`{-# dialect_resources: {builtin: {name: "0x…"}} #-}`: remember the resources' texts."""
        self.expect("{-#")
        path: list[str] = []
        while path or not self.accept("#-}"):
            if self.accept("}"):
                if not path:
                    self.unexpected("a section of metadata", self.pos - 1)
                path.pop()
                self.accept(",")
                continue
            token = self.tokens[self.pos]
            key = self.string() if token[:1] == '"' else self.word("a section of metadata")
            self.expect(":")
            if self.accept("{"):
                path.append(key)
                continue
            value = self.tokens[self.pos]
            if path[:1] == ["dialect_resources"] and value[:1] == '"':
                self._resources[key] = value
            elif not value:
                self.unexpected("a value")
            self.pos += 1
            self.accept(",")

    def resource(self, name: str) -> bytes | None:
        token = self._resources.get(name)
        if token is None:
            return None
        # The first four bytes hold the alignment that the producer wants.
        if token[:3] not in ('"0x', '"0X') or len(token) < 12:
            self.fail(f"resource {name} holds no data")
        try:
            return binascii.unhexlify(token[11:-1])
        except (binascii.Error, ValueError):
            self.fail(f"resource {name} holds malformed hexadecimal data")

    def elided_array(self, type: TensorType | VectorType) -> DenseElements:
        array = next(self._elided, None) if self._elided is not None else None
        if array is None:
            self.fail("the elements of this constant were left out of the text")
        if array.shape != type.shape or array.dtype != type.dtype.numpy:
            self.fail(f"the array for this constant is {array.dtype}{list(array.shape)}, the type is {type}")
        return DenseElements(array, type)

    def nested(self, text: str, read: Callable[[Any], Any]) -> object:
        inner = type(self)(text, self.file)
        inner._enclosing = self
        try:
            value = read(inner)
            if inner.token:
                inner.unexpected("the end of the attribute")
        except ParseError as error:
            self.fail(error.diagnostics[0].message)
        return value

    def skip_alias(self, token: str) -> None:
        """Go past the definition of an alias, which stands next."""
        self._aliases.setdefault(token, self.pos + 2)
        self.pos = self.alias(token)[1]
