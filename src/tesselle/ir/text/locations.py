"""Locations in text: `loc("file":1:2)`, names, call sites, fused ones, aliases."""

from __future__ import annotations

from abc import abstractmethod

from tesselle.ir.text.attributes import AttributeParser
from tesselle.ir.text.lexer import escape
from tesselle.support.locations import (
    UNKNOWN,
    ByteLocation,
    CallSiteLocation,
    FileLocation,
    FusedLocation,
    Location,
    NameLocation,
    UnknownLocation,
)


class LocationParser(AttributeParser):
    """Reads locations."""

    def location(self) -> Location:
        """Read `loc(…)`."""
        self.expect("loc")
        self.expect("(")
        found = self.bare_location()
        self.expect(")")
        return found

    def bare_location(self) -> Location:
        """Read what stands inside `loc(…)`."""
        token = self.tokens[self.pos]
        first = token[:1]
        if first == "#":
            at = self.pos
            found = self.location_alias(token[1:])
            if found is None:
                self.fail(f"location {token} is not defined", at)
            self.pos = at + 1
            return found
        if token == "loc":
            return self.location()
        if first == '"':
            text = self.string()
            if self.accept(":"):
                line = self.integer()
                self.expect(":")
                column = self.integer()
                if self.accept("to"):  # the end of a range, which is not kept
                    if self.tokens[self.pos] != ":":
                        self.integer()
                    self.expect(":")
                    self.integer()
                return FileLocation(text, line, column)
            if self.accept("("):
                child = self.bare_location()
                self.expect(")")
                return NameLocation(text, child)
            return NameLocation(text)
        self.pos += 1
        if token == "unknown":
            return UNKNOWN
        if token == "callsite":
            self.expect("(")
            callee = self.bare_location()
            self.expect("at")
            caller = self.bare_location()
            self.expect(")")
            return CallSiteLocation(callee, caller)
        if token == "fused":
            if self.accept("<"):
                self.any_attribute()
                self.expect(">")
            self.expect("[")
            parts: list[Location] = []
            while not self.accept("]"):
                if parts:
                    self.expect(",")
                parts.append(self.bare_location())
            return FusedLocation(tuple(parts))
        self.unexpected("a location", self.pos - 1)

    @abstractmethod
    def location_alias(self, name: str) -> Location | None:
        """The location that `#name` was defined to be; None when it is no alias."""


def location_text(location: Location) -> str:
    """What `loc(…)` holds for `location`."""
    if isinstance(location, FileLocation):
        return f'"{escape(location.file)}":{location.line}:{location.column}'
    if isinstance(location, NameLocation):
        child = "" if location.child is None else f"({location_text(location.child)})"
        return f'"{escape(location.name)}"{child}'
    if isinstance(location, CallSiteLocation):
        return f"callsite({location_text(location.callee)} at {location_text(location.caller)})"
    if isinstance(location, FusedLocation):
        return f"fused[{', '.join(map(location_text, location.parts))}]"
    assert isinstance(location, UnknownLocation | ByteLocation)  # MLIR has no text for the latter
    return "unknown"
