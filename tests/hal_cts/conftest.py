"""The conformance suite of the HAL: every test runs on every driver.

A driver that cannot do something, yet, goes into EXPECTED_FAILURES with the reason; what a device lacks by nature, into
EXCLUSIONS.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from flat_images import Kernel, flat_image, loop_kernel
from tesselle.runtime.hal import DRIVERS, Access, Binding, Buffer, Device, Executable, Semaphore, open_device

DEVICES = ("cpu:threads=1", "cpu:threads=2", "cpu:threads=4,pin=0")
"""Device strings to run on; every driver of DRIVERS has to be among them."""

EXCLUSIONS: dict[tuple[str, str], str] = {}
"""(driver, test name) → why the test makes no sense there."""

EXPECTED_FAILURES: dict[tuple[str, str], str] = {}
"""(driver, test name) → why it fails, for now."""


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Device:
    text: str = request.param
    key = (text.split(":")[0], request.node.originalname)
    if key in EXCLUSIONS:
        pytest.skip(EXCLUSIONS[key])
    if key in EXPECTED_FAILURES:
        request.applymarker(pytest.mark.xfail(reason=EXPECTED_FAILURES[key], strict=True))
    return open_device(text)


ENTRIES = ("add", "mul", "increment")


class Kernels:
    """The suite's kernels on a device, by name: (bindings…, result), push = [elements], 64 elements to a workgroup."""

    def __init__(self, device: Device) -> None:
        assert device.info.driver in ("cpu",), "give the suite's kernels for this driver"
        ir = "".join(
            [
                loop_kernel("add", "i32", "%r = add i32 %a, %b", inputs=2),
                loop_kernel("mul", "i32", "%r = mul i32 %a, %b", inputs=2),
                loop_kernel("increment", "i32", "%r = add i32 %a, 1", inputs=1),
            ]
        )
        entries = (Kernel("add", 3, 1), Kernel("mul", 3, 1), Kernel("increment", 2, 1))
        self.executable: Executable = device.load_executable(flat_image(ir, *entries), "cts")

    def dispatch(self, commands: object, name: str, elements: int, slots: Sequence[int]) -> None:
        """Record one over whole slots, the last of which is written."""
        bindings = [
            Binding(s, 0, 4 * elements, Access.WRITE if i == len(slots) - 1 else Access.READ)
            for i, s in enumerate(slots)
        ]
        grid = ((elements + 63) // 64, 1, 1)
        commands.dispatch(self.executable, ENTRIES.index(name), grid, [elements], bindings)  # type: ignore[attr-defined]  # a CommandBuffer


@pytest.fixture
def kernels(device: Device) -> Kernels:
    return Kernels(device)


def buffer_of(device: Device, data: bytes) -> Buffer:
    """A buffer with these contents."""
    buffer = device.allocate(len(data))
    buffer.map()[:] = data
    return buffer


@pytest.fixture
def fill(device: Device):
    return lambda data: buffer_of(device, data)


def run_to_end(device: Device, commands: object, buffers: Sequence[Buffer]) -> None:
    """Finalize, submit, wait."""
    commands.finalize()  # type: ignore[attr-defined]  # a CommandBuffer
    done: Semaphore = device.create_semaphore()
    device.submit(commands, buffers, signals=[(done, 1)])  # type: ignore[arg-type]  # a CommandBuffer
    assert done.wait(1, 30)


@pytest.fixture
def run(device: Device):
    return lambda commands, buffers: run_to_end(device, commands, buffers)


def test_every_driver_is_here() -> None:
    assert set(DRIVERS) == {d.split(":")[0] for d in DEVICES}
