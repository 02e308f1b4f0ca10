"""Looking at values of a running program: the host functions of `interpreter.print` and `interpreter.probe`."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import weakref
from collections import defaultdict
from pathlib import Path

import numpy as np

from tesselle.support.custom_calls import Array, CustomCall, HostFunction
from tesselle.support.diagnostics import ExecutionError
from tesselle.support.dtypes import from_numpy

PRINT, PROBE = "interpreter.print", "interpreter.probe"

PROBE_ID, TYPE = "probe_id", "type"
"""Entries of a call's configuration."""


class Probes:
    """A folder of what probes have written: `<probe_id>_<iteration>.npy`, and `index.csv` with id, type and file.

    Without a folder a temporary one is made for the first probe, and goes with this object.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._counts: dict[str, int] = defaultdict(int)

    def write(self, call: CustomCall, value: Array) -> None:
        """Write the next file of the probe of `call`. ExecutionError when that is not possible."""
        name = str(call.attributes.get(PROBE_ID, ""))
        with self._lock:
            if self.folder is None:
                self.folder = Path(tempfile.mkdtemp(prefix="tesselle-probes-"))
                weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
            self._counts[name] += 1
            path = self.folder / f"{name}_{self._counts[name]}.npy"
            if path.parent != self.folder:
                raise ExecutionError(f"probe_id '{name}' is no name of a file")
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                np.save(path, value, allow_pickle=False)
                with (self.folder / "index.csv").open("a") as index:
                    index.write(f"{name},{call.attributes.get(TYPE, '')},{path}\n")
            except OSError as error:
                raise ExecutionError(f"cannot write {path}: {error.strerror or error}") from error


def print_value(call: CustomCall, value: Array) -> None:
    """Write the type and the elements to standard output."""
    dims = "".join(f"{d}x" for d in value.shape)
    text = f"tensor<{dims}{from_numpy(value.dtype)}> {np.array2string(value, separator=', ')}"
    sys.stdout.write(f"{text}\n")


def _no_folder(call: CustomCall, value: Array) -> None:
    raise ExecutionError(f"@{PROBE} needs a folder to write to: `tesselle check --probe-dir DIR` gives one")


def host_function(target: str) -> HostFunction | None:
    """The function of `target` where nothing else is said: prints, or refuses to probe."""
    return {PRINT: print_value, PROBE: _no_folder}.get(target)
