"""What Tesselle tells people when something is wrong.

    TesselleError
    ├── ParseError            text or bytecode that is not well formed
    ├── VerifyError           IR that breaks a rule of its dialect
    ├── Unsupported           a valid program that needs something Tesselle does not have
    ├── OptionError           a value of an option, a target or a device string that makes no sense
    ├── ArtifactError         a `.tsl` or safetensors file that cannot be trusted or read
    ├── InvocationError       a call with wrong arguments, or of a function that is not there
    ├── ExecutionError        a program that failed while it ran
    │   └── SessionError      a session that an earlier failure has left unusable
    └── CompilerError         a fault of Tesselle itself, with phase, pass and how to reproduce it

Every error carries one or more `Diagnostic`s: a rule, a place, a text, and notes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.support.locations import UNKNOWN, Location, UnknownLocation


@dataclass(frozen=True)
class Note:
    message: str
    location: Location = UNKNOWN

    def render(self) -> str:
        prefix = "" if isinstance(self.location, UnknownLocation) else f"{self.location}: "
        return f"{prefix}note: {self.message}"


@dataclass(frozen=True)
class Diagnostic:
    """One finding: `rule` names what was broken, for example "stablehlo.transpose.C2"."""

    message: str
    location: Location = UNKNOWN
    rule: str = ""
    notes: tuple[Note, ...] = field(default=())

    def render(self) -> str:
        """`place: error[rule]: message`, and a line for each note."""
        prefix = "" if isinstance(self.location, UnknownLocation) else f"{self.location}: "
        rule = f"[{self.rule}]" if self.rule else ""
        return "\n".join([f"{prefix}error{rule}: {self.message}", *(n.render() for n in self.notes)])


class TesselleError(Exception):
    """Base of every error that Tesselle raises on purpose."""

    def __init__(
        self,
        message: str,
        location: Location = UNKNOWN,
        rule: str = "",
        notes: Sequence[Note] = (),
    ) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = (Diagnostic(message, location, rule, tuple(notes)),)
        super().__init__(message)

    @classmethod
    def several(cls, diagnostics: Sequence[Diagnostic]) -> TesselleError:
        """One error that reports all of `diagnostics` (at least one)."""
        first = diagnostics[0]
        error = cls(first.message, first.location, first.rule, first.notes)
        error.diagnostics = tuple(diagnostics)
        return error

    def add_note_at(self, message: str, location: Location = UNKNOWN) -> None:
        """Append a note to the last diagnostic, as errors travel outwards."""
        *rest, last = self.diagnostics
        notes = (*last.notes, Note(message, location))
        self.diagnostics = (*rest, Diagnostic(last.message, last.location, last.rule, notes))

    def __str__(self) -> str:
        return "\n".join(d.render() for d in self.diagnostics)


def fill_in(message: str, values: Sequence[object]) -> str:
    """The message with `{i}` replaced by values[i]; every other brace stays."""
    return re.sub(r"\{(\d+)\}", lambda m: str(values[int(m[1])]) if int(m[1]) < len(values) else m[0], message)


class ParseError(TesselleError):
    """Text or bytecode that is not well formed."""


class VerifyError(TesselleError):
    """IR that breaks a rule of its dialect."""


class Unsupported(TesselleError):
    """A valid program that needs something Tesselle does not have; lists every such operation at once."""


class OptionError(TesselleError):
    """A value of an option, a target or a device string that makes no sense."""


class ArtifactError(TesselleError):
    """A `.tsl` or safetensors file that cannot be trusted or read."""


class InvocationError(TesselleError):
    """A call with wrong arguments, or of a function that the program does not have."""


class ExecutionError(TesselleError):
    """A program that failed while it ran."""


class SessionError(ExecutionError):
    """A session whose variables a failed call has left halfway; `reset` or `load_state_dict` makes it usable again."""


class CompilerError(TesselleError):
    """A fault of Tesselle itself: names the phase, the pass and a command that reproduces it."""
