"""The program that runs in a worker process: LLVM IR text comes in on a pipe, an object file goes out.

LLVM aborts the process on a failed assertion, so it never runs in the user's own. This file imports nothing of
Tesselle: the worker starts in a few dozen milliseconds, whatever the package's `__init__` does.

Protocol, both ways: a frame is `<II`, the sizes of a JSON header and of a body, followed by both. Request header:
`triple`, `cpu`, `features`, `opt_level`, `output` ("object" or "assembly" or "ir"); body: the IR. Reply header: `ok`,
and `error` when not ok; body: the output.

    python worker.py LLVMLITE_PARENT_DIRECTORY             serve requests from standard input until it ends
    python worker.py LLVMLITE_PARENT_DIRECTORY FILE        reproduce one failed request that was saved to FILE
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any, BinaryIO

_FRAME = struct.Struct("<II")


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next frame, or None when the stream ended."""
    prefix = stream.read(_FRAME.size)
    if len(prefix) < _FRAME.size:
        return None
    header_size, body_size = _FRAME.unpack(prefix)
    header, body = stream.read(header_size), stream.read(body_size)
    if len(header) < header_size or len(body) < body_size:
        return None
    return json.loads(header), body


def write_frame(stream: BinaryIO, header: dict[str, Any], body: bytes) -> None:
    encoded = json.dumps(header).encode()
    stream.write(_FRAME.pack(len(encoded), len(body)))
    stream.write(encoded)
    stream.write(body)
    stream.flush()


def compile_ir(llvm: Any, header: dict[str, Any], ir: bytes) -> bytes:
    """Parse, verify, optimise with the standard pipeline, emit. RuntimeError when the IR is not well formed."""
    machine = llvm.Target.from_triple(header["triple"]).create_target_machine(
        cpu=header["cpu"], features=header["features"], opt=header["opt_level"], reloc="pic", codemodel="small"
    )
    module = llvm.parse_assembly(ir.decode())
    module.triple = header["triple"]
    module.data_layout = str(machine.target_data)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=header["opt_level"])
    transforms_loops = header["opt_level"] >= 2
    tuning.loop_vectorization = transforms_loops
    tuning.slp_vectorization = transforms_loops
    tuning.loop_interleaving = transforms_loops
    tuning.loop_unrolling = transforms_loops
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    if header["output"] == "ir":
        return str(module).encode()
    if header["output"] == "assembly":
        return str(machine.emit_assembly(module)).encode()
    return bytes(machine.emit_object(module))


def load_llvm(llvmlite_parent: str) -> Any:
    sys.path.append(llvmlite_parent)
    import llvmlite.binding as llvm  # type: ignore[import-untyped] # it ships no types

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


def main(arguments: list[str]) -> int:
    llvm = load_llvm(arguments[0])
    if len(arguments) > 1:
        with open(arguments[1], "rb") as saved:
            frame = read_frame(saved)
        if frame is None:
            print(f"{arguments[1]}: not a saved request", file=sys.stderr)
            return 2
        sys.stdout.buffer.write(compile_ir(llvm, *frame))
        return 0
    # LLVM and its libraries may print; nothing but frames may reach the pipe.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    while (frame := read_frame(requests)) is not None:
        header, body = frame
        try:
            output = compile_ir(llvm, header, body)
        except RuntimeError as error:
            write_frame(replies, {"ok": False, "error": str(error)}, b"")
        else:
            write_frame(replies, {"ok": True}, output)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
