"""The processors that the LLVM back end compiles for.

A `CpuTarget` is plain data: everything that decides what machine code comes out, and nothing else, so that it can be
part of a cache key and of an artifact's manifest. Only `cpu_target("host")` asks LLVM, and only then is llvmlite
imported.
"""

from __future__ import annotations

import functools
import platform
from dataclasses import dataclass
from typing import Literal, cast

from tesselle.support.diagnostics import OptionError

TargetName = Literal["host", "x86-64-v3", "x86-64-v4", "generic", "aarch64"]

TARGET_NAMES: tuple[TargetName, ...] = ("host", "x86-64-v3", "x86-64-v4", "generic", "aarch64")

_X86_TRIPLE = "x86_64-unknown-none-elf"
_AARCH64_TRIPLE = "aarch64-unknown-none-elf"

# What the back end lets LLVM use on x86-64, in the order in which the extensions appeared. A feature that is not listed
# is never used, so that the manifest's `required_cpu_features` is the whole truth about an image.
_X86_FEATURES = (
    "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "sahf", "movbe", "lzcnt", "bmi", "bmi2", "avx", "f16c",
    "fma", "avx2", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512vbmi", "avx512vbmi2",
    "avx512vnni", "avx512bitalg", "avx512vpopcntdq", "avx512ifma", "avx512bf16", "avx512fp16", "avxvnni",
    "avxvnniint8", "avxvnniint16", "avxneconvert", "amx-tile", "amx-int8", "amx-bf16",
)  # fmt: skip

_X86_V2 = ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "sahf")
_X86_V3 = (*_X86_V2, "movbe", "lzcnt", "bmi", "bmi2", "avx", "f16c", "fma", "avx2")
_X86_V4 = (*_X86_V3, "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl")


@dataclass(frozen=True)
class CpuTarget:
    """One processor, as LLVM and the code generator see it.

    `name`: as the user spelled it. `triple`, `cpu`, `features`: LLVM's target machine (`features` is its comma-
    separated list). `tune_cpu`: the scheduling model. `vector_bits`: width of the widest vector registers worth using.
    `register_count`: how many of them there are. `required_cpu_features`: LLVM's names of the extensions that the
    machine must have, for the manifest.
    """

    name: str
    triple: str
    cpu: str
    features: str
    tune_cpu: str
    vector_bits: int
    register_count: int
    required_cpu_features: tuple[str, ...]

    def has(self, feature: str) -> bool:
        """Whether code for this target may use the extension that LLVM calls `feature`."""
        return feature in self.required_cpu_features

    @property
    def has_fma(self) -> bool:
        """Fused multiply-add on f32 and f64 vectors."""
        return self.has("fma") or self.triple.startswith("aarch64")

    @property
    def has_native_f16_conversion(self) -> bool:
        """f16 <-> f32 conversion as one instruction (never a library call)."""
        return self.has("f16c") or self.triple.startswith("aarch64")

    @property
    def has_native_rounding(self) -> bool:
        """floor, ceil, trunc and roundeven as instructions."""
        return self.has("sse4.1") or self.triple.startswith("aarch64")

    def lanes(self, bits: int) -> int:
        """How many elements of `bits` bits fill one vector register."""
        return max(1, self.vector_bits // bits)


@functools.cache
def cpu_target(name: str) -> CpuTarget:
    """The target called `name`: "host", an x86-64 level, "generic" (x86-64 with SSE2 only), or "aarch64" (Armv8.0,
    NEON).

    Errors: OptionError for an unknown name, or for "host" on a processor that the back end does not know.
    """
    match name:
        case "host":
            return _host()
        case "x86-64-v3":
            return _x86(name, _X86_V3, "generic")
        case "x86-64-v4":
            return _x86(name, _X86_V4, "generic")
        case "generic":
            return _x86(name, (), "generic")
        case "aarch64":
            return _aarch64(name)
        case _:
            raise OptionError(f"unknown CPU target {name!r}; known: {', '.join(TARGET_NAMES)}")


def _x86(name: str, features: tuple[str, ...], tune_cpu: str) -> CpuTarget:
    wide = "avx512f" in features and "avx512vl" in features
    # LLVM keeps to 256 bits on several AVX-512 processors unless it is told not to.
    tuning = ("-prefer-256-bit",) if wide else ()
    return CpuTarget(
        name=name,
        triple=_X86_TRIPLE,
        cpu="x86-64",
        features=",".join((*(f"+{f}" for f in features), *tuning)),
        tune_cpu=tune_cpu,
        vector_bits=512 if wide else 256 if "avx" in features else 128,
        register_count=32 if wide else 16,
        required_cpu_features=features,
    )


def _aarch64(name: str) -> CpuTarget:
    return CpuTarget(
        name=name,
        triple=_AARCH64_TRIPLE,
        cpu="generic",
        features="+neon,+fp-armv8",
        tune_cpu="generic",
        vector_bits=128,
        register_count=32,
        required_cpu_features=("neon",),
    )


def _host() -> CpuTarget:
    machine = platform.machine().lower()
    if machine in ("aarch64", "arm64"):
        return _aarch64("host")
    if machine not in ("x86_64", "amd64"):
        raise OptionError(f"no CPU target for this machine ({machine}); known: {', '.join(TARGET_NAMES)}")
    import llvmlite.binding as llvm  # type: ignore[import-untyped] # it ships no types

    # The features are read from the processor itself; LLVM's guess of the model may be a relative with fewer or more of
    # them, which is harmless for scheduling alone.
    present = cast("dict[str, bool]", dict(llvm.get_host_cpu_features()))
    features = tuple(f for f in _X86_FEATURES if present.get(f, False))
    return _x86("host", features, str(llvm.get_host_cpu_name()))
