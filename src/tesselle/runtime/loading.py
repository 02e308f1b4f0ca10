"""From an artifact to a program that can be called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from tesselle.artifact.reader import ArtifactReader
from tesselle.artifact.schema import ExecutableRecord
from tesselle.artifact.vm_isa import DTYPE_CODES
from tesselle.runtime import _native
from tesselle.runtime.hal.device import Device
from tesselle.runtime.hal.drivers.cpu import CpuDevice
from tesselle.runtime.hal.registry import driver, open_device
from tesselle.runtime.host_functions import HostFunctions
from tesselle.runtime.program import Program
from tesselle.support.custom_calls import HostFunction
from tesselle.support.diagnostics import ArtifactError, OptionError
from tesselle.support.transfers import HostTransfers

MAX_CALL_DEPTH = 1024


@runtime_checkable
class HasReader(Protocol):
    """What `tesselle.Artifact` is to the runtime."""

    @property
    def reader(self) -> ArtifactReader: ...


Source = str | os.PathLike[str] | bytes | ArtifactReader | HasReader


def load(
    source: Source,
    device: str | Device = "cpu",
    *,
    verify_constants: bool = True,
    step_limit: int | None = None,
    custom_calls: Mapping[str, HostFunction] | None = None,
) -> Program:
    """Load an artifact on a device.

    `source` is a path, the bytes of an artifact, or an open one. Everything in it is verified before anything runs;
    `verify_constants=False` leaves out the checksum of the constants, which reads them all. `step_limit` fails calls
    that take more jumps and calls than that (a guard against programs that never end). `custom_calls` gives functions
    for the program's custom calls, by target; others are looked up among those that `tesselle.custom_call` registered.

    ArtifactError for an artifact that cannot be trusted or has no code for the device; OSError for a file that cannot
    be opened; OptionError for the device.
    """
    reader = _open(source)
    opened = open_device(device)
    if not isinstance(opened, CpuDevice):
        raise OptionError(f"device '{opened.info.id}' cannot run whole programs yet")
    manifest = reader.manifest
    executables: list[_native.Executable] = []
    for index, name in enumerate(manifest.executable_names()):
        record = _choose_variant(reader, name, opened)
        data = reader.file(record.file)
        executable = opened.load_executable(data, f"{reader.name}: {record.file}", index).native
        if len(executable.entries) != len(record.entries):
            raise ArtifactError(
                f"{reader.name}: {record.file} has {len(executable.entries)} entries, not {len(record.entries)}"
            )
        executables.append(executable)
    constants: list[tuple[Any, int, int]] = []
    files: dict[str, memoryview] = {}
    for constant in manifest.constants:
        if constant.file not in files:
            files[constant.file] = reader.file(constant.file, verify=verify_constants)
        constants.append((files[constant.file], constant.offset, constant.size))
    transfers = HostTransfers()
    given = {**transfers.functions(), **(custom_calls or {})}
    host_functions = HostFunctions(manifest.host_functions, given, reader.name)
    host_program = reader.host_program()
    limit = -1 if step_limit is None else step_limit
    try:
        native = _native.load_program(
            opened.native,
            host_program,
            constants,
            executables,
            len(host_functions),
            host_functions,
            MAX_CALL_DEPTH,
            limit,
            [
                (v.name, v.vm_global, DTYPE_CODES[v.dtype], [-1 if d is None else d for d in v.shape])
                for v in manifest.variables
            ],
            manifest.initializer,
            [f.vm_function for f in manifest.functions if f.updates],
        )
        return Program(native, manifest, opened, transfers)
    except ArtifactError as error:
        raise ArtifactError(f"{reader.name}: {error.diagnostics[0].message}") from None


def _open(source: Source) -> ArtifactReader:
    if isinstance(source, ArtifactReader):
        return source
    if isinstance(source, (str, bytes, os.PathLike)):
        return ArtifactReader(source)
    # A protocol check at run time: anything that carries a reader is an artifact.
    if isinstance(source, HasReader):  # pyright: ignore[reportUnnecessaryIsInstance]
        return source.reader
    raise ArtifactError(f"expected a path, bytes or an artifact, found {type(source).__name__}")


def _choose_variant(reader: ArtifactReader, name: str, device: Device) -> ExecutableRecord:
    """The first variant of an executable that the device can run."""
    target = driver(device.info.driver).TARGET
    variants = [e for e in reader.manifest.executables if e.name == name and e.target == target]
    if not variants:
        targets = ", ".join(sorted({e.target for e in reader.manifest.executables}))
        raise ArtifactError(f"{reader.name}: compiled for {targets}, not for '{target}' (device '{device.info.id}')")
    for variant in variants:
        if not device.missing_features(variant.required_cpu_features):
            return variant
    missing = ", ".join(device.missing_features(variants[-1].required_cpu_features))
    raise ArtifactError(
        f"{reader.name}: compiled for a processor with {missing}, which this one lacks; compile with another target CPU"
    )
