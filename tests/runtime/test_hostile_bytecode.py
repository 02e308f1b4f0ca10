"""Bytecode that nobody's compiler wrote, with right checksums: the verifier stands on its own.

Modules are damaged, loaded, and run when they verify, in a process of their own: every outcome is fine (an error,
a result, a step limit) except a crash or a hang.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tesselle.artifact.vm_encoding import encode
from tesselle.artifact.vm_isa import BY_NAME, RegisterType
from tesselle.artifact.vm_module import FunctionBuilder, VmFunction, VmGlobal, VmInstruction, VmModule
from tesselle.runtime import _native
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import F32

FUZZ = """
import random, resource, sys, time
sys.path.insert(0, "tests/support")
import numpy as np
from flat_images import Kernel, flat_image
from vm_programs import elementwise_function
from tesselle.artifact.vm_encoding import encode
from tesselle.artifact.vm_isa import DTYPE_CODES, RegisterType, INSTRUCTIONS
from tesselle.artifact.vm_module import FunctionBuilder, VmGlobal, VmModule
from tesselle.runtime import _native
from tesselle.support.diagnostics import TesselleError
from tesselle.support.dtypes import F32

# A kernel that touches no binding: what a kernel does with wrong sizes is its own affair, not the verifier's.
HEAD = "ptr %b, ptr %p, i64 %x, i64 %y, i64 %z, ptr %l"
image = flat_image(f"define void @k({HEAD}) {{ ret void }}", Kernel("k", 3, 1))
device = _native.Device(2, False, 1 << 24)
executable = device.load_executable(image, "k", 0)

main, _ = elementwise_function("main", F32, yields=1, barriers=1)
init = FunctionBuilder("init")
(c,) = init.emit("const.i64", 5)
init.emit("global.store.i64", "n", c)
init.emit("return", ())
w = FunctionBuilder("work", argument_types=["i64", "ref", "f32"], result_types=["i64", "ref"])
n, ref, f = w.arguments
(k,) = w.emit("const.i64", 64)
(b,) = w.emit("hal.buffer.allocate", k)
(cb,) = w.emit("hal.command_buffer.create", 2)
w.emit("hal.command_buffer.fill", cb, 0, n, k, k, 4)
w.emit("hal.command_buffer.barrier", cb)
w.emit("hal.command_buffer.copy", cb, 0, n, 1, n, k)
w.emit("hal.command_buffer.finalize", cb)
(b2,) = w.emit("hal.buffer.allocate", k)
(fence,) = w.emit("hal.fence.create")
(null,) = w.emit("const.ref.null")
w.emit("hal.queue.execute", cb, null, fence, (b, b2))
w.emit("hal.fence.await", fence)
(v,) = w.emit("hal.view.create", b, n, F32, (n, n))
w.emit("hal.host_call", 0, (v,), (v,))
w.emit("global.store.ref", "r", v)
(g,) = w.emit("global.load.ref", "r")
(d,) = w.emit("hal.view.dim", g, 1)
(x,) = w.emit("hal.buffer.load.i64", b2, d)
(zero,) = w.emit("const.i64", 0)
(small,) = w.emit("cmp.lt_s.i64", n, zero)
w.emit("cond_br", small, "yes", "no")
w.label("yes")
(c0,) = w.emit("hal.constant", 0)
(one,) = w.emit("const.i64", 1)
(m,) = w.emit("add.i64", n, one)
w.emit("call", "work", (m, c0, f), results=[x, g])
w.emit("br", "no")
w.label("no")
w.emit("return", (x, g))
variables = (VmGlobal("n", RegisterType.I64), VmGlobal("r", RegisterType.REF), VmGlobal("f", RegisterType.F32, 1.0))
good = encode(VmModule((main, init.finish(), w.finish()), variables, "init"))
constant = bytes(64)

# A program may ask for as much memory as the machine has, and fill it: that is no crash, but it takes its time.
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
seed, seconds = int(sys.argv[1]), float(sys.argv[2])
rng = random.Random(seed)


def host_call(index, arguments, results):
    for data, _, _ in results:
        memoryview(data)[:] = bytes(data.length)


numbers = [0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 255, 256, 0xFFFF, 1 << 31, 0xFFFFFFFF, 0x7FFFFFFF]
opcodes = [i.opcode for i in INSTRUCTIONS]
loaded = ran = total = 0
end = time.monotonic() + seconds
while time.monotonic() < end:
    total += 1
    data = bytearray(good)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(data) // 4) * 4
        choice = rng.random()
        if choice < 0.4:
            data[at + rng.randrange(4)] = rng.randrange(256)
        elif choice < 0.7:
            data[at : at + 4] = rng.choice(numbers).to_bytes(4, "little")
        elif choice < 0.85:
            data[at : at + 2] = rng.choice(opcodes).to_bytes(2, "little")
        elif choice < 0.95:
            other = rng.randrange(len(data) // 4) * 4
            data[at : at + 4] = data[other : other + 4]
        else:
            del data[at:]
            break
    try:
        # One program in two has a variable: its calls are ordered.
        state = ([("v", "r", DTYPE_CODES[F32], [-1, -1])], "", ["work"]) if total % 2 else ([], "", [])
        program = _native.load_program(
            device, bytes(data), [(constant, 0, 64)], [executable], 1, host_call, 64, 2000, *state
        )
        loaded += 1
        session = _native.Session(program)
        for name, arguments in (("work", [0, None, 0.5]), ("main", [None, None])):
            call = session.begin_raw(name, arguments)
            for _ in range(100):
                status = call.resume(500)
                if status == 2 and not call.wait(0.05):
                    break
                if status == 4:
                    ran += 1
                    call.raw_results()
                    break
    except TesselleError:
        pass
    except (TypeError, RuntimeError) as error:
        # A damaged signature: the plain numbers of this test do not fit it.
        assert "cast" in str(error) or "bad_cast" in type(error).__name__, error
print(total, loaded, ran)
"""

ROOT = Path(__file__).parents[2]
"""Where the scripts below run."""


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_bytecode_never_crashes(seed: int) -> None:
    process = subprocess.run(
        [sys.executable, "-c", FUZZ, str(seed), "4"], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert process.returncode == 0, f"{process.returncode}: {process.stderr[-2000:]}"
    total, loaded, ran = map(int, process.stdout.split())
    # It is worth something only if a good part gets past the verifier.
    assert total > 200 and loaded > 20 and ran > 5


def load(data: bytes) -> _native.Program:
    return _native.load_program(_native.Device(1, False, 0), data, [], [], 0, lambda *_: None, 64, 1000, [], "", [])


def words_of(function: VmFunction) -> tuple[bytes, list[int]]:
    """The module of one function without what follows its code, and its code."""
    data = encode(VmModule((function,)))
    (count,) = struct.unpack_from("<I", data, 36)
    return data[: -4 * count], list(struct.unpack(f"<{count}I", data[-4 * count :]))


def rejected(function: VmFunction, change: Callable[[list[int]], None], message: str) -> None:
    head, code = words_of(function)
    size = len(code)
    change(code)
    assert len(code) == size, "this would change the header, too"
    with pytest.raises(ArtifactError) as caught:
        load(head + struct.pack(f"<{size}I", *code))
    assert message in str(caught.value)


def simple() -> VmFunction:
    b = FunctionBuilder("f", argument_types=["i64", "i32"], result_types=["i64"])
    b.emit("add.i64", 0, 0)
    b.emit("cond_br", 1, "end", "end")
    b.label("end")
    b.emit("return", (0,))
    return b.finish()


def put(index: int, value: int) -> Callable[[list[int]], None]:
    def change(code: list[int]) -> None:
        code[index] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(0, 0xABCD | 4 << 16), "function 'f', word 0: unknown opcode 43981"),
        (put(0, BY_NAME["add.i64"].opcode), "word 0 (add.i64): malformed length"),
        (put(0, BY_NAME["add.i64"].opcode | 3 << 16), "word 0 (add.i64): an instruction is cut off"),
        (put(0, BY_NAME["add.i64"].opcode | 5 << 16), "word 0 (add.i64): more words than operands"),
        (put(0, BY_NAME["add.i64"].opcode | 400 << 16), "word 0 (add.i64): malformed length"),
        (put(0, BY_NAME["add.i32"].opcode | 4 << 16), "r2 has type i64, not i32"),
        (put(1, 9), "there is no register r9"),
        (put(2, 1), "r1 has type i32, not i64"),
        (put(6, 7), "word 7: a label that is not the place of an instruction"),
        (put(6, 1 << 31), "a label that is not the place of an instruction"),
        (put(9, 0), "word 8 (return): more words than operands"),
        (put(9, 7), "word 8 (return): a list does not fit its instruction"),
        (put(10, 1), "word 8 (return): results 0 has type i32, not i64"),
        (put(8, BY_NAME["hal.fence.await"].opcode | 3 << 16), "word 8 (hal.fence.await)"),
    ],
)
def test_verifier(change: Callable[[list[int]], None], message: str) -> None:
    rejected(simple(), change, message)


def function(*code: VmInstruction, types: tuple[RegisterType, ...] = (RegisterType.I64,) * 3) -> VmFunction:
    return VmFunction("f", 0, types, (), code)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (VmModule((function(),)), "word 0: control can run off the end"),
        (VmModule((function(VmInstruction("yield")),)), "word 1 (yield): control can run off the end"),
        (
            VmModule((function(VmInstruction("hal.constant", (0,), (0,)), types=(RegisterType.REF,)),)),
            "constant 0 of 0",
        ),
        (VmModule((function(VmInstruction("hal.host_call", (0, (), ()))),)), "host function 0 of 0"),
        (VmModule((function(VmInstruction("call", ("f", (0,)), ((),))),)), "1 arguments where 0 are expected"),
        (VmModule((function(VmInstruction("call", ("f", ()), ((0,),))),)), "1 results where 0 are expected"),
        (VmModule((function(VmInstruction("return", ((1,),))),)), "1 results where 0 are expected"),
        (
            VmModule(
                (
                    function(
                        VmInstruction("hal.view.create", (0, 1, F32, (1,) * 65), (0,)),
                        types=(RegisterType.REF, RegisterType.I64),
                    ),
                )
            ),
            "too high a rank",
        ),
    ],
)
def test_verifier_of_meaning(module: VmModule, message: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        load(encode(module))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, 0, "no magic number"),
        (4, 2, "newer runtime"),
        (8, 99, "newer runtime"),
        (12, 1 << 31, "the string table reaches past the end"),
        (16, 1 << 30, "the global table reaches past the end"),
        (20, 1 << 31, "the function table reaches past the end"),
        (24, 5, "initializer is function 5"),
        (24, 0, "the initializer has arguments or results"),
        (36, 0, "data after the code"),
        (60, 1, "a reserved field is not zero"),
    ],
)
def test_header(offset: int, value: int, message: str) -> None:
    data = bytearray(encode(VmModule((simple(),))))
    struct.pack_into("<I", data, offset, value)
    with pytest.raises(ArtifactError) as caught:
        load(bytes(data))
    assert message in str(caught.value)


def test_a_reference_that_is_not_null() -> None:
    """A global's initial bits must not become an address."""
    data = bytearray(encode(VmModule((), (VmGlobal("g", RegisterType.I64, 0x1234),))))
    kind = data.index(struct.pack("<IQ", int(RegisterType.I64), 0x1234))
    data[kind] = int(RegisterType.REF)
    with pytest.raises(ArtifactError, match="reference 'g' is not null"):
        load(bytes(data))


def test_a_name_with_anything_in_it_stays_on_one_line() -> None:
    b = FunctionBuilder("two\nlines\x00\x7f")
    b.emit("yield")
    with pytest.raises(ArtifactError) as caught:
        load(encode(VmModule((b.finish(),))))
    assert len(str(caught.value).splitlines()) == 1
