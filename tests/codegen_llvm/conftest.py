"""What the tests of the LLVM back end share: building kernels, and running flat images without the runtime."""

from __future__ import annotations

import ctypes
import mmap
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tesselle.codegen.llvm.link import CODE_ALIGNMENT, ENTRY, HEADER, MAGIC, link_flat_image
from tesselle.codegen.llvm.object_cache import ObjectCache
from tesselle.codegen.llvm.runtime_functions import runtime_ir
from tesselle.codegen.llvm.target import CpuTarget, cpu_target
from tesselle.codegen.llvm.translate import translate_module
from tesselle.codegen.llvm.workers import CompileJob, WorkerOptions, compile_objects
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp, ReturnOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import Type
from tesselle.ir.verify import verify
from tesselle.support.dtypes import INDEX

_PROT_READ_EXEC = mmap.PROT_READ | mmap.PROT_EXEC
_ENTRY_TYPE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p
)


class LoadedImage:
    """A flat image in executable memory, as the runtime would map it; checks the header field by field."""

    def __init__(self, image: bytes) -> None:
        magic, version, machine, count, reserved, size, offset, code_size, crc = HEADER.unpack_from(image)
        assert (magic, version, reserved, size) == (MAGIC, 1, 0, len(image))
        assert offset % CODE_ALIGNMENT == 0 and offset + code_size == size
        code = image[offset:]
        assert zlib.crc32(code) == crc
        self.machine = machine
        self.entries = [ENTRY.unpack_from(image, HEADER.size + i * ENTRY.size) for i in range(count)]
        self._memory = mmap.mmap(-1, max(1, len(code)), prot=mmap.PROT_READ | mmap.PROT_WRITE)
        self._memory.write(code)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mprotect(ctypes.c_void_p(self._base), ctypes.c_size_t(len(code)), _PROT_READ_EXEC):
            raise OSError(ctypes.get_errno(), "mprotect")

    def run(
        self,
        arrays: Sequence[np.ndarray[Any, Any]],
        push: Sequence[int] = (),
        workgroup: tuple[int, int, int] = (0, 0, 0),
        entry: int = 0,
    ) -> None:
        offset, local_bytes, binding_count, push_count = self.entries[entry]
        assert binding_count == len(arrays) and push_count == len(push)
        bindings = (ctypes.c_void_p * max(1, len(arrays)))(*(a.ctypes.data for a in arrays))
        slots = struct.pack(f"<{len(push)}q", *push)
        local = np.zeros(local_bytes + 64, dtype=np.uint8)
        aligned = (local.ctypes.data + 63) // 64 * 64
        _ENTRY_TYPE(self._base + offset)(ctypes.addressof(bindings), slots, *workgroup, aligned)


Body = Callable[[Builder, Sequence[Value]], None]


def make_kernel(types: Sequence[Type], body: Body, name: str = "kernel", **attributes: Any) -> ModuleOp:
    """A module with one kernel: arguments of `types` (bindings, push constants), then the workgroup ids."""
    module = ModuleOp.empty()
    function = FuncOp.with_entry(name, (*types, INDEX, INDEX, INDEX), ())
    function.attributes.update(attributes)
    module.body.append(function)
    builder = Builder.at_end(function.entry)
    body(builder, function.args)
    builder.insert(ReturnOp(()))
    verify(module)
    return module


class Toolchain:
    """Builds kernels with one cache for the whole test session."""

    def __init__(self, directory: Path) -> None:
        self.options = WorkerOptions(cache=ObjectCache(directory), worker_count=1, failure_directory=directory)

    def load(self, module: ModuleOp, target: CpuTarget | str = "host") -> LoadedImage:
        translated = translate_module(module, self.target(target))
        return self.load_ir(translated.ir, translated.entries, target)

    def load_ir(self, ir: str, entries: Sequence[Any], target: CpuTarget | str = "host") -> LoadedImage:
        t = self.target(target)
        objects = compile_objects([CompileJob(ir, t), CompileJob(runtime_ir(t), t)], self.options)
        return LoadedImage(link_flat_image(objects, entries))

    @staticmethod
    def target(target: CpuTarget | str) -> CpuTarget:
        return cpu_target(target) if isinstance(target, str) else target

    make_kernel = staticmethod(make_kernel)


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    return Toolchain(tmp_path_factory.mktemp("llvm"))


@pytest.fixture(autouse=True)
def quiet_numpy() -> Iterator[None]:
    """The oracles are asked about infinities and nan on purpose."""
    with np.errstate(all="ignore"):
        yield
