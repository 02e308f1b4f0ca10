"""Kernel modules -> flat images: translate, compile in parallel, link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tesselle.codegen.llvm.link import Entry, link_flat_image
from tesselle.codegen.llvm.runtime_functions import RUNTIME_NAME, runtime_ir
from tesselle.codegen.llvm.target import CpuTarget
from tesselle.codegen.llvm.translate import translate_module
from tesselle.codegen.llvm.workers import CompileJob, Progress, WorkerOptions, compile_objects
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.support.diagnostics import Diagnostic, Unsupported

FULL_EFFORT, SMALL_EFFORT = 3, 1
"""Levels of LLVM's optimisation. Kernels arrive vectorised: what LLVM adds to one that is done in a few microseconds
(more unrolling) is not to be measured in a call, while it costs more time than all the rest of its compilation."""

SMALL_FLOPS, SMALL_BYTES = 1 << 17, 1 << 16


class KernelModule(NamedTuple):
    """The kernels of one image. `name`: for messages."""

    name: str
    kernels: ModuleOp
    opt_level: int = FULL_EFFORT


def effort(flops: int | None, size_bytes: int | None) -> int:
    """The level for a dispatch that does `flops` operations on `size_bytes` bytes in one run (None: dynamic)."""
    known_small = flops is not None and size_bytes is not None and flops <= SMALL_FLOPS and size_bytes <= SMALL_BYTES
    return SMALL_EFFORT if known_small else FULL_EFFORT


def build_images(
    modules: Sequence[KernelModule],
    target: CpuTarget,
    options: WorkerOptions | None = None,
    progress: Progress | None = None,
) -> list[bytes]:
    """The flat image of each module, in order; the entries of an image are the kernels of its module, in order.

    Errors: Unsupported for everything that cannot be translated in any module, before anything is compiled;
    CompilerError for what LLVM or the linker refuse.
    """
    jobs: list[CompileJob] = []
    entries: list[Sequence[Entry]] = []
    problems: list[Diagnostic] = []
    for name, kernels, opt_level in modules:
        try:
            translated = translate_module(kernels, target)
        except Unsupported as error:
            problems.extend(error.diagnostics)
            continue
        jobs.append(CompileJob(translated.ir, target, name, opt_level))
        entries.append(translated.entries)
    if problems:
        raise Unsupported.several(problems)
    jobs.append(CompileJob(runtime_ir(target), target, RUNTIME_NAME, shared=True))
    *objects, runtime = compile_objects(jobs, options, progress)
    return [link_flat_image((o, runtime), e) for o, e in zip(objects, entries, strict=True)]
