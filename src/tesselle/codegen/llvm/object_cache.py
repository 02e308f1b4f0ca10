"""A directory of compiled objects, found by a hash of everything that went into them.

Entries are written to a temporary file and renamed, so that concurrent processes see a whole entry or none; an entry
whose checksum does not hold is treated as absent. The oldest entries go when the directory outgrows its bound.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"TSLOBJ1\n"
_DIGEST_BYTES = 32
_SUFFIX = ".object"


def default_cache_directory(xdg_cache_home: str | None = None) -> Path:
    """`xdg_cache_home`/tesselle, or ~/.cache/tesselle without one.

    The environment is the command line's business: it passes XDG_CACHE_HOME.
    """
    return (Path(xdg_cache_home) if xdg_cache_home else Path.home() / ".cache") / "tesselle"


@dataclass(frozen=True)
class ObjectCache:
    """Objects under `directory`, at most about `size_limit_bytes` of them.

    A cache that cannot be read or written (no space, no permission) only costs time, so such errors are not reported.
    """

    directory: Path
    size_limit_bytes: int = 1 << 30

    def load(self, key: str) -> bytes | None:
        """The object stored under `key`, or None; marks it as used."""
        path = self._path(key)
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        body_start = len(_MAGIC) + _DIGEST_BYTES
        body = entry[body_start:]
        if entry[:body_start] != _MAGIC + hashlib.sha256(body).digest():
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return body

    def store(self, key: str, body: bytes) -> None:
        """Keep `body` under `key`."""
        path = self._path(key)
        temporary = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".incoming-")
            with os.fdopen(descriptor, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(body).digest() + body)
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                if temporary:
                    os.unlink(temporary)

    def prune(self) -> int:
        """Remove the least recently used entries until a fifth of the bound is free again; the number of bytes removed.

        Does nothing below the bound. One directory scan: callers prune once after a batch, not after every entry.
        """
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        removed = 0
        if total <= self.size_limit_bytes:
            return 0
        for _, size, path in entries:
            if total - removed <= self.size_limit_bytes * 4 // 5:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
                removed += size
        return removed

    def _path(self, key: str) -> Path:
        return self.directory / "objects" / key[:2] / (key[2:] + _SUFFIX)

    def _entries(self) -> Iterator[tuple[float, int, str]]:
        """(time of last use, size, path) of every entry; leftovers of killed writers count too."""
        with contextlib.suppress(OSError):
            for shard in os.scandir(self.directory / "objects"):
                with contextlib.suppress(OSError):
                    for file in os.scandir(shard.path):
                        with contextlib.suppress(OSError):
                            stat = file.stat()
                            yield stat.st_mtime, stat.st_size, file.path
