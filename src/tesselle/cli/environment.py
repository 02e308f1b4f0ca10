"""Every environment variable that Tesselle reads, and the only place that reads them.

| variable | meaning |
|---|---|
| `TESSELLE_CACHE_DIR` | folder that keeps compiled code between runs; empty: keep nothing |
| `XDG_CACHE_HOME` | where `tesselle/` is made when `TESSELLE_CACHE_DIR` is not set (default `~/.cache`) |
| `NO_COLOR` | any value: no colours |
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    cache_dir: Path | None
    """Folder for compiled code; None: keep nothing."""
    color: bool | None
    """False: no colours; None: colours where the output is a terminal."""


def read_environment() -> Environment:
    """What the environment of this process says."""
    named = os.environ.get("TESSELLE_CACHE_DIR")
    if named is None:
        base = os.environ.get("XDG_CACHE_HOME")
        cache_dir = (Path(base) if base else Path.home() / ".cache") / "tesselle"
    else:
        cache_dir = Path(named) if named else None
    return Environment(cache_dir=cache_dir, color=False if os.environ.get("NO_COLOR") else None)
