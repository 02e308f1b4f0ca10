"""The artifact `.tsl`: what the compiler writes and the runtime reads. Imports `tesselle.support` only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tesselle.artifact.artifact import Artifact

__all__ = ["Artifact"]


def __getattr__(name: str) -> Any:
    # Imported when it is first used: the instruction table must load without NumPy's and zipfile's weight.
    if name == "Artifact":
        from tesselle.artifact.artifact import Artifact

        return Artifact
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
