"""`manifest.json`: what an artifact holds, as frozen dataclasses with checked (de)serialisation.

The schema has a version (major, minor). A reader takes every version up to its own `SCHEMA_VERSION` and refuses a later
one with one line. Fields are only ever added, with defaults, and adding one raises the minor number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from tesselle.artifact.vm_isa import DTYPE_CODES
from tesselle.support.custom_calls import CustomCall
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import DTYPES, DType

SCHEMA_VERSION = (1, 3)
MAX_RANK = 64
"""Highest rank of a tensor at the border of a program."""
MAX_STRUCTURE_CHARACTERS = 1 << 20
"""Longest `FunctionRecord.structure`."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An argument or a result; None in `shape` is a dimension that the call decides.

    `quantization` is the element type of the source, in MLIR's text, where that was quantized: the elements are what it
    stores.
    """

    name: str
    dtype: DType
    shape: tuple[int | None, ...]
    quantization: str = ""

    def __str__(self) -> str:
        dims = "".join("?x" if d is None else f"{d}x" for d in self.shape)
        element = self.quantization or self.dtype
        return f"{self.name}: tensor<{dims}{element}>" if self.name else f"tensor<{dims}{element}>"


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """A function that can be called. `vm_function` names its code in host.vm; `location` is where its source is.

    `peak_transient_bytes` is the largest sum of live intermediate buffers of one call, None when it depends on shapes.
    Since 1.3: `updates` says that it stores to a variable; `structure` is JSON text, how the source nests arguments and
    results, empty where it does not.
    """

    name: str
    arguments: tuple[TensorSpec, ...]
    results: tuple[TensorSpec, ...]
    vm_function: str
    location: str = ""
    peak_transient_bytes: int | None = None
    updates: bool = False
    structure: str = ""

    def __str__(self) -> str:
        arguments = ", ".join(map(str, self.arguments))
        results = ", ".join(map(str, self.results))
        return f"{self.name}({arguments}) -> ({results})"


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """One kernel of an executable: `summary` says what it computes; flops and bytes of one call, None when dynamic.

    `kernel` says which kernel code generation chose, and why.
    """

    name: str
    summary: str = ""
    flops: int | None = None
    bytes: int | None = None
    location: str = ""
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class ExecutableRecord:
    """Kernels compiled for one target, in file `file`.

    Bytecode names executables by number: the number of the distinct `name`s in order. Records that share a name are
    variants of one executable, best first; the runtime takes the first whose target and CPU features it has.
    """

    name: str
    target: str
    triple: str
    required_cpu_features: tuple[str, ...]
    file: str
    entries: tuple[EntryRecord, ...]


@dataclass(frozen=True, slots=True)
class ConstantRecord:
    """A constant tensor: `size` bytes at `offset` of `file`, a safetensors file that lists it under `key`.

    Bytecode names constants by their place in the manifest.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    file: str
    key: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class HostFunctionRecord:
    """A function of the process that runs the program, which must have registered it as `target`. Since 1.1.

    `config` is `support.custom_calls.CustomCall.to_json()`; bytecode names host functions by their place in the
    manifest. `location` is where the program calls it.
    """

    target: str
    config: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class VariableRecord:
    """A variable, of which every session has its own value; None in `shape` is a dimension that may change. Since 1.3.

    `vm_global` names the global of host.vm, of type ref, that holds the value as a buffer view. Code loads the view in
    every call, and writes to its buffer or stores another view.
    """

    name: str
    dtype: DType
    shape: tuple[int | None, ...]
    vm_global: str

    def __str__(self) -> str:
        return str(TensorSpec(self.name, self.dtype, self.shape))


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of the archive with its SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything about an artifact except code and data. `files` is filled in by the writer.

    `initializer` names an exported function of host.vm without arguments and results, which gives the variables their
    first values: it runs once for every session, and again when the session is reset. Empty: there is none.
    """

    producer: str
    module_name: str
    functions: tuple[FunctionRecord, ...] = ()
    executables: tuple[ExecutableRecord, ...] = ()
    constants: tuple[ConstantRecord, ...] = ()
    files: tuple[FileRecord, ...] = ()
    schema_version: tuple[int, int] = SCHEMA_VERSION
    host_functions: tuple[HostFunctionRecord, ...] = ()
    variables: tuple[VariableRecord, ...] = ()
    initializer: str = ""

    def executable_names(self) -> tuple[str, ...]:
        """The distinct executables: index i is what bytecode calls executable i."""
        return tuple(dict.fromkeys(e.name for e in self.executables))

    def to_json(self) -> str:
        """The text of manifest.json."""
        return json.dumps(_plain(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, data: bytes | str) -> Manifest:
        """Read and check manifest.json; ArtifactError names the field that is wrong."""
        return _read_manifest(data)


def _plain(value: object) -> object:
    """Dataclasses to what json can write."""
    match value:
        case DType():
            return value.name
        case tuple():
            return [_plain(v) for v in cast(tuple[object, ...], value)]
        case None | str() | int():  # and bool
            return value
        case _:
            names = cast(tuple[str, ...], getattr(value, "__slots__"))  # noqa: B009 (object has none)
            return {name: _plain(getattr(value, name)) for name in names}


class _Fields:
    """A JSON object while it is read: each field is taken once, with a check; unknown fields are an error."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise _error(path, f"expected an object, found {_kind(value)}")
        self._left = dict(cast(dict[str, Any], value))
        self._path = path

    def take(self, name: str, read: Callable[[Any, str], T]) -> T:
        path = f"{self._path}.{name}" if self._path else name
        if name not in self._left:
            raise _error(path, "missing")
        return read(self._left.pop(name), path)

    def take_or(self, name: str, read: Callable[[Any, str], T], default: T) -> T:
        """A field that earlier versions of the schema do not have."""
        return self.take(name, read) if name in self._left else default

    def finish(self) -> None:
        if self._left:
            name = next(iter(self._left))
            raise _error(f"{self._path}.{name}" if self._path else name, "unknown field")


def _error(path: str, text: str) -> ArtifactError:
    return ArtifactError(f"manifest.json: {path}: {text}" if path else f"manifest.json: {text}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return next((text for kind, text in names.items() if type(value) is kind), "something else")


def _string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _error(path, f"expected a string, found {_kind(value)}")
    return value


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _error(path, f"expected a boolean, found {_kind(value)}")
    return value


def _name(value: Any, path: str) -> str:
    if not _string(value, path):
        raise _error(path, "must not be empty")
    return value


def _count(value: Any, path: str) -> int:
    if type(value) is not int:
        raise _error(path, f"expected a whole number, found {_kind(value)}")
    if not 0 <= value < 2**63:
        raise _error(path, f"{value} is out of range")
    return value


def _optional_count(value: Any, path: str) -> int | None:
    return None if value is None else _count(value, path)


def _dtype(value: Any, path: str) -> DType:
    dtype = DTYPES.get(_string(value, path))
    if dtype is None or dtype not in DTYPE_CODES:
        raise _error(path, f"no element type {value!r}")
    return dtype


def _list(read: Callable[[Any, str], T]) -> Callable[[Any, str], tuple[T, ...]]:
    def read_list(value: Any, path: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise _error(path, f"expected a list, found {_kind(value)}")
        items = enumerate(cast(list[Any], value))
        return tuple(read(item, f"{path}[{i}]") for i, item in items)

    return read_list


def _shape(value: Any, path: str) -> tuple[int | None, ...]:
    shape = _list(_optional_count)(value, path)
    if len(shape) > MAX_RANK:
        raise _error(path, f"rank {len(shape)} is above {MAX_RANK}")
    if math.prod(d or 1 for d in shape) >= 2**62:
        raise _error(path, "too many elements")
    return shape


def _static_shape(value: Any, path: str) -> tuple[int, ...]:
    return tuple(_count(d, f"{path}[{i}]") for i, d in enumerate(_shape(value, path)))


def _file_name(value: Any, path: str) -> str:
    name = _name(value, path)
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
        raise _error(path, f"{name!r} is not a plain path inside the artifact")
    return name


def _sha256(value: Any, path: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", _string(value, path)):
        raise _error(path, "expected 64 hex digits")
    return value


def _tensor(value: Any, path: str) -> TensorSpec:
    f = _Fields(value, path)
    spec = TensorSpec(
        f.take("name", _string),
        f.take("dtype", _dtype),
        f.take("shape", _shape),
        f.take_or("quantization", _string, ""),
    )
    f.finish()
    return spec


def _structure(value: Any, path: str) -> str:
    text = _string(value, path)
    if len(text) > MAX_STRUCTURE_CHARACTERS:
        raise _error(path, f"{len(text)} characters, more than {MAX_STRUCTURE_CHARACTERS}")
    try:
        if text:
            json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _error(path, f"is not JSON: {error}") from None
    return text


def _function(value: Any, path: str) -> FunctionRecord:
    f = _Fields(value, path)
    record = FunctionRecord(
        f.take("name", _name),
        f.take("arguments", _list(_tensor)),
        f.take("results", _list(_tensor)),
        f.take("vm_function", _name),
        f.take("location", _string),
        f.take("peak_transient_bytes", _optional_count),
        f.take_or("updates", _flag, False),
        f.take_or("structure", _structure, ""),
    )
    f.finish()
    named = [a.name for a in record.arguments if a.name]
    if len(set(named)) != len(named):
        raise _error(f"{path}.arguments", "two arguments share a name")
    return record


def _entry(value: Any, path: str) -> EntryRecord:
    f = _Fields(value, path)
    record = EntryRecord(
        f.take("name", _name),
        f.take("summary", _string),
        f.take("flops", _optional_count),
        f.take("bytes", _optional_count),
        f.take("location", _string),
        f.take_or("kernel", _string, ""),
    )
    f.finish()
    return record


def _executable(value: Any, path: str) -> ExecutableRecord:
    f = _Fields(value, path)
    record = ExecutableRecord(
        f.take("name", _name),
        f.take("target", _name),
        f.take("triple", _string),
        f.take("required_cpu_features", _list(_name)),
        f.take("file", _file_name),
        f.take("entries", _list(_entry)),
    )
    f.finish()
    return record


def _constant(value: Any, path: str) -> ConstantRecord:
    f = _Fields(value, path)
    record = ConstantRecord(
        f.take("name", _name),
        f.take("dtype", _dtype),
        f.take("shape", _static_shape),
        f.take("file", _file_name),
        f.take("key", _name),
        f.take("offset", _count),
        f.take("size", _count),
    )
    f.finish()
    expected = math.prod(record.shape) * record.dtype.size_bytes
    if record.size != expected:
        raise _error(f"{path}.size", f"{record.size}, but its shape and dtype take {expected} bytes")
    return record


def _host_function(value: Any, path: str) -> HostFunctionRecord:
    f = _Fields(value, path)
    record = HostFunctionRecord(f.take("target", _name), f.take("config", _string), f.take("location", _string))
    f.finish()
    try:
        CustomCall.from_json(record.target, record.config)
    except ValueError as error:
        raise _error(f"{path}.config", str(error)) from None
    return record


def _variable(value: Any, path: str) -> VariableRecord:
    f = _Fields(value, path)
    record = VariableRecord(
        f.take("name", _name), f.take("dtype", _dtype), f.take("shape", _shape), f.take("vm_global", _name)
    )
    f.finish()
    return record


def _file(value: Any, path: str) -> FileRecord:
    f = _Fields(value, path)
    record = FileRecord(f.take("name", _file_name), f.take("size", _count), f.take("sha256", _sha256))
    f.finish()
    return record


def _check_version(value: Any, path: str) -> tuple[int, int]:
    numbers = _list(_count)(value, path)
    if len(numbers) != 2:
        raise _error(path, "expected [major, minor]")
    major, minor = numbers
    if (major, minor) > SCHEMA_VERSION:
        ours = ".".join(map(str, SCHEMA_VERSION))
        raise ArtifactError(
            f"this artifact has schema version {major}.{minor}; this Tesselle reads up to {ours}: update Tesselle"
        )
    if major < 1:
        raise _error(path, f"there is no schema version {major}.{minor}")
    return major, minor


def check_version(data: bytes) -> None:
    """Refuse a manifest of a later version, whatever else is in it; ArtifactError says so in one line."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return  # the checksum will tell
    if isinstance(value, dict) and "schema_version" in value:
        _check_version(cast(dict[str, Any], value)["schema_version"], "schema_version")


def _distinct(names: list[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _error(what, f"{name!r} appears twice")
        seen.add(name)


def _read_manifest(data: bytes | str) -> Manifest:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _error("", f"is not JSON: {error}") from None
    f = _Fields(value, "")
    # The version goes first: a later schema may have any other fields.
    version = f.take("schema_version", _check_version)
    manifest = Manifest(
        producer=f.take("producer", _string),
        module_name=f.take("module_name", _string),
        functions=f.take("functions", _list(_function)),
        executables=f.take("executables", _list(_executable)),
        constants=f.take("constants", _list(_constant)),
        files=f.take("files", _list(_file)),
        schema_version=version,
        host_functions=f.take("host_functions", _list(_host_function)) if version >= (1, 1) else (),
        variables=f.take("variables", _list(_variable)) if version >= (1, 3) else (),
        initializer=f.take("initializer", _string) if version >= (1, 3) else "",
    )
    f.finish()
    _distinct([x.name for x in manifest.functions], "functions")
    _distinct([x.name for x in manifest.constants], "constants")
    _distinct([x.name for x in manifest.files], "files")
    _distinct([x.name for x in manifest.variables], "variables")
    # Two names for one global: a load of the state would keep whichever came last.
    _distinct([x.vm_global for x in manifest.variables], "variables: vm_global")
    variants: dict[str, tuple[str, ...]] = {}
    for i, executable in enumerate(manifest.executables):
        entries = tuple(e.name for e in executable.entries)
        if variants.setdefault(executable.name, entries) != entries:
            raise _error(f"executables[{i}].entries", f"differ from those of another variant of {executable.name!r}")
    return manifest
