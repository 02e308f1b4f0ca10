"""Source locations: where a piece of a program came from."""

from __future__ import annotations

from dataclasses import dataclass


class Location:
    """Base of every location; `str()` gives the human form used in diagnostics."""

    __slots__ = ()

    def file_location(self) -> FileLocation | None:
        """The innermost place in a file that this location knows, or None."""
        return None


@dataclass(frozen=True, slots=True)
class UnknownLocation(Location):
    def __str__(self) -> str:
        return "<unknown>"


@dataclass(frozen=True, slots=True)
class FileLocation(Location):
    """`file:line:column`, both counted from one."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def file_location(self) -> FileLocation | None:
        return self


@dataclass(frozen=True, slots=True)
class ByteLocation(Location):
    """A byte of a binary file, counted from zero."""

    file: str
    offset: int

    def __str__(self) -> str:
        return f"{self.file}:{self.offset:#x}"


@dataclass(frozen=True, slots=True)
class NameLocation(Location):
    """A name that the producer gave (a layer, a traced function), around an optional child."""

    name: str
    child: Location | None = None

    def __str__(self) -> str:
        place = self.file_location()
        return f'"{self.name}"' if place is None else f'{place} ("{self.name}")'

    def file_location(self) -> FileLocation | None:
        return self.child.file_location() if self.child else None


@dataclass(frozen=True, slots=True)
class CallSiteLocation(Location):
    callee: Location
    caller: Location

    def __str__(self) -> str:
        return str(self.callee)

    def file_location(self) -> FileLocation | None:
        return self.callee.file_location() or self.caller.file_location()


@dataclass(frozen=True, slots=True)
class FusedLocation(Location):
    parts: tuple[Location, ...]

    def __str__(self) -> str:
        return str(self.file_location() or (self.parts[0] if self.parts else "<unknown>"))

    def file_location(self) -> FileLocation | None:
        return next((place for p in self.parts if (place := p.file_location())), None)


UNKNOWN = UnknownLocation()
