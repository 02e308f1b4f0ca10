"""Builds the native runtime into src/, for developers: `python native/build_inplace.py [--sanitize address,undefined]`.

Configures CMake with Ninja in build/native (build/native-SANITIZERS), builds, and copies the extension module to
src/tesselle/runtime, where PYTHONPATH=src finds it. Needs cmake, ninja and nanobind where the running Python is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tool(name: str) -> str:
    """The program `name` of this Python's environment, or of the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        sys.exit(f"build_inplace: cannot find {name}: pip install cmake ninja nanobind")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the native runtime in place.")
    parser.add_argument("--build-type", default="Release", choices=["Release", "Debug", "RelWithDebInfo"])
    parser.add_argument("--sanitize", default="", help="for example address,undefined or thread")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    suffix = f"-{options.sanitize.replace(',', '-')}" if options.sanitize else ""
    build = ROOT / "build" / f"native{suffix}"
    configure = [
        tool("cmake"),
        "-S",
        str(ROOT),
        "-B",
        str(build),
        "-G",
        "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
        f"-DCMAKE_BUILD_TYPE={options.build_type}",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DTESSELLE_SANITIZE={options.sanitize}",
    ]
    subprocess.run(configure, check=True)
    subprocess.run([tool("cmake"), "--build", str(build), "-j", str(options.jobs)], check=True)
    (module,) = build.glob("_native*.so")
    target = ROOT / "src" / "tesselle" / "runtime" / module.name
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not in place: a running process may have the old one mapped.
    temporary = target.with_suffix(".tmp")
    shutil.copy(module, temporary)
    temporary.replace(target)
    print(f"built {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
