"""Kernel modules -> flat images: translate, compile in parallel, link."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.codegen.llvm.link import Entry, link_flat_image
from tesselle.codegen.llvm.runtime_functions import RUNTIME_NAME, runtime_ir
from tesselle.codegen.llvm.target import CpuTarget
from tesselle.codegen.llvm.translate import translate_module
from tesselle.codegen.llvm.workers import CompileJob, Progress, WorkerOptions, compile_objects
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.support.diagnostics import Diagnostic, Unsupported


def build_images(
    modules: Sequence[tuple[str, ModuleOp]],
    target: CpuTarget,
    options: WorkerOptions | None = None,
    progress: Progress | None = None,
) -> list[bytes]:
    """The flat image of each (name, module), in order; the entries of an image are the kernels of its module, in order.

    Errors: Unsupported for everything that cannot be translated in any module, before anything is compiled;
    CompilerError for what LLVM or the linker refuse.
    """
    jobs: list[CompileJob] = []
    entries: list[Sequence[Entry]] = []
    problems: list[Diagnostic] = []
    for name, module in modules:
        try:
            translated = translate_module(module, target)
        except Unsupported as error:
            problems.extend(error.diagnostics)
            continue
        jobs.append(CompileJob(translated.ir, target, name))
        entries.append(translated.entries)
    if problems:
        raise Unsupported.several(problems)
    jobs.append(CompileJob(runtime_ir(target), target, RUNTIME_NAME, shared=True))
    *objects, runtime = compile_objects(jobs, options, progress)
    return [link_flat_image((o, runtime), e) for o, e in zip(objects, entries, strict=True)]
