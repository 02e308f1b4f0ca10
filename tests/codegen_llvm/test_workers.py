"""Worker processes and the object cache: order, failures, deaths, timeouts, cached and corrupted entries."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tesselle.codegen.llvm.object_cache import ObjectCache, default_cache_directory
from tesselle.codegen.llvm.target import TARGET_NAMES, cpu_target
from tesselle.codegen.llvm.workers import CompileJob, CompilerPool, WorkerOptions
from tesselle.support.diagnostics import CompilerError, OptionError

TARGET = cpu_target("generic")
# The processor has no such instruction: instruction selection ends the process.
FATAL = """
declare i32 @llvm.aarch64.crc32b(i32, i32)
define i32 @f(i32 %x) {
  %r = call i32 @llvm.aarch64.crc32b(i32 %x, i32 %x)
  ret i32 %r
}
"""


def good(n: int) -> CompileJob:
    return CompileJob(f"define i32 @f{n}() {{\n ret i32 {n}\n}}\n", TARGET, f"good{n}")


@pytest.fixture
def options(tmp_path: Path) -> WorkerOptions:
    return WorkerOptions(worker_count=2, failure_directory=tmp_path)


def test_results_come_in_order_with_progress(options: WorkerOptions) -> None:
    pool = CompilerPool()
    seen: list[tuple[int, int]] = []
    jobs = [good(n) for n in (3, 1, 2, 1)]
    objects = pool.compile(jobs, options, lambda done, total: seen.append((done, total)))
    pool.close()
    assert [f"f{n}".encode() in o for n, o in zip((3, 1, 2, 1), objects, strict=True)] == [True] * 4
    assert objects[1] == objects[3]
    assert seen == [(i + 1, 4) for i in range(4)]


def test_invalid_ir_is_reported_with_a_command_that_reproduces_it(options: WorkerOptions) -> None:
    pool = CompilerPool()
    bad = CompileJob("define i32 @f( { }", TARGET, "softmax_17")
    with pytest.raises(CompilerError) as caught:
        pool.compile([good(1), bad, replace(bad, name="other", ir="nonsense")], options)
    pool.close()
    first, second = caught.value.diagnostics
    assert "softmax_17" in first.message and "expected ')'" in first.message
    assert "other" in second.message
    command = first.notes[0].message.removeprefix("reproduce: ").split(" > ")[0].split()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode != 0 and "expected ')'" in again.stderr


def test_a_dying_worker_takes_one_job_with_it(options: WorkerOptions) -> None:
    pool = CompilerPool()
    jobs = [good(1), CompileJob(FATAL, TARGET, "crash"), good(2), good(3)]
    with pytest.raises(
        CompilerError, match=r"'crash' for generic failed: LLVM was killed by signal 6: .*Cannot select"
    ) as caught:
        pool.compile(jobs, options)
    assert len(caught.value.diagnostics) == 1
    # The pool goes on with fresh workers.
    assert len(pool.compile([good(4), good(5)], options)) == 2
    pool.close()


def test_a_worker_that_takes_too_long_is_stopped(options: WorkerOptions) -> None:
    pool = CompilerPool()
    with pytest.raises(CompilerError, match=r"'good1' .* took longer than 0\.001 s"):
        pool.compile([good(1)], replace(options, timeout_s=0.001))
    assert pool.compile([good(1)], options)
    pool.close()


def test_the_cache_answers_and_survives_corruption(options: WorkerOptions, tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "cache")
    cached = replace(options, cache=cache)
    pool = CompilerPool()
    (first,) = pool.compile([good(1)], cached)
    (path,) = (tmp_path / "cache").rglob("*.object")
    closed = CompilerPool()
    closed.close()
    assert closed.compile([good(1)], cached) == [first], "a cached object needs no worker"
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert cache.load(good(1).key()) is None and not path.exists()
    assert pool.compile([good(1)], cached) == [first]
    pool.close()


def test_the_key_covers_everything_that_matters() -> None:
    job = good(1)
    others = [
        replace(job, ir=job.ir + "\n"),
        replace(job, opt_level=2),
        replace(job, output="assembly"),
        *(replace(job, target=cpu_target(t)) for t in TARGET_NAMES if t != "generic"),
        replace(job, target=replace(TARGET, tune_cpu="znver3")),
    ]
    keys = {job.key(), *(o.key() for o in others)}
    assert len(keys) == len(others) + 1
    assert replace(job, name="another name").key() == job.key()


def test_pruning_keeps_what_was_used_last(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path, size_limit_bytes=5000)
    for n in range(10):
        cache.store(f"{n:02d}abc", bytes(960))
        path = tmp_path / "objects" / f"{n:02d}" / "abc.object"
        os.utime(path, (n, n))
    assert cache.load("00abc") is not None
    assert cache.prune() > 0
    kept = [n for n in range(10) if cache.load(f"{n:02d}abc") is not None]
    assert kept == [0, 7, 8, 9]
    assert cache.prune() == 0


def test_an_unwritable_cache_only_costs_time(options: WorkerOptions, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    pool = CompilerPool()
    assert pool.compile([good(1)], replace(options, cache=ObjectCache(blocked)))
    pool.close()


def test_cache_directory() -> None:
    assert default_cache_directory("/x") == Path("/x/tesselle")
    assert default_cache_directory().name == "tesselle"


def test_targets() -> None:
    host, v3, v4, generic = (cpu_target(t) for t in ("host", "x86-64-v3", "x86-64-v4", "generic"))
    assert host.name == "host"
    assert (v3.vector_bits, v3.register_count, v3.has_fma, v3.lanes(32)) == (256, 16, True, 8)
    assert (v4.vector_bits, v4.register_count, v4.lanes(32)) == (512, 32, 16) and "-prefer-256-bit" in v4.features
    assert (generic.vector_bits, generic.has_fma, generic.required_cpu_features) == (128, False, ())
    with pytest.raises(OptionError, match="x86-64-v3"):
        cpu_target("pentium")


def test_importing_the_back_end_does_not_import_llvmlite() -> None:
    code = "import sys, tesselle.codegen.llvm.executable; sys.exit('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_every_program_shares_is_compiled_once(options: WorkerOptions) -> None:
    pool = CompilerPool()
    shared = replace(good(1), shared=True)
    objects = pool.compile([shared, good(2)], options)
    pool.close()
    assert pool.compile([shared], options) == objects[:1], "the answer needs no worker"
    with pytest.raises(CompilerError, match="closed"):
        pool.compile([good(2)], options)


def test_a_worker_that_cannot_start_fails_its_job_and_no_other(
    options: WorkerOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = CompilerPool()
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", _refuse)
        for _ in range(3):
            with pytest.raises(CompilerError, match="no more processes"):
                pool.compile([good(1)], options)
    assert pool.compile([good(1)], options)
    pool.close()


def _refuse(*args: object, **kwargs: object) -> None:
    raise BlockingIOError("no more processes")
