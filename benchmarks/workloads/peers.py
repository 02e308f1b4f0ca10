"""Who runs the workloads: Tesselle, and those that it is compared with.

All compute in f32 on the CPU, with the settings that each recommends for one call at a time. A peer is an object per
workload; its libraries are imported when the first is made, in a process that is the peer's own.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .base import Array, Workload
from .dispatches import Dispatch, dispatches_of


class Peer(ABC):
    """`prepare`, then `load`, then any number of `call` and `results`."""

    name: ClassVar[str]
    label: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    """What must be installed; the version of the first is the peer's."""

    def __init__(self, threads: int, folder: Path) -> None:
        """`folder` keeps what several processes share: exported models."""
        self.threads = threads
        self.folder = folder

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot take part; None where it can."""
        absent = [p for p in cls.packages if importlib.util.find_spec(p) is None]
        return f"not installed: {', '.join(absent)}" if absent else None

    @classmethod
    def version(cls) -> str:
        return f"{cls.packages[0]} {metadata.version(cls.packages[0])}"

    @abstractmethod
    def prepare(self, workload: Workload) -> None:
        """Weights, inputs, the program in the form that the library reads. Not timed."""

    @abstractmethod
    def load(self) -> None:
        """All that the library does before it can be called. Its time is that of compiling and loading."""

    @abstractmethod
    def call(self) -> object:
        """One call, complete when it returns. What is timed."""

    @abstractmethod
    def results(self) -> list[Array]:
        """The results of one call, as the workload's function returns them."""

    def dispatches(self) -> tuple[Dispatch, ...]:
        """What a call consists of, the costliest first; nothing where the library does not say."""
        return ()


def _arrays(results: Any) -> list[Array]:
    """One result or several, as NumPy arrays."""
    return [np.asarray(r) for r in (results if isinstance(results, (tuple, list)) else [results])]


class Tesselle(Peer):
    """Weights are constants of the program; arguments and results are NumPy arrays."""

    name = "tesselle"
    label = "Tesselle"
    packages = ("tesselle", "jax")

    @classmethod
    def version(cls) -> str:
        return f"tesselle {importlib.import_module('tesselle').__version__}"

    def prepare(self, workload: Workload) -> None:
        jax: Any = importlib.import_module("jax")
        self._inputs = workload.inputs()
        weights = {name: jax.numpy.asarray(value) for name, value in workload.weights().items()}
        self._lowered = jax.jit(lambda *inputs: workload.function(weights, *inputs)).lower(*self._inputs)

    def load(self) -> None:
        tesselle: Any = importlib.import_module("tesselle")
        artifact = tesselle.compile(self._lowered, targets=["cpu"])
        del self._lowered
        self._program = tesselle.load(artifact, device=f"cpu:threads={self.threads}")
        self._main = self._program["main"]

    def call(self) -> object:
        return self._main(*self._inputs)

    def results(self) -> list[Array]:
        return _arrays(self.call())

    def dispatches(self) -> tuple[Dispatch, ...]:
        return dispatches_of(self._program, self.call)


class Jax(Peer):
    """`jax.jit`; weights and inputs are arguments that lie on the device."""

    name = "jax"
    label = "JAX"
    packages = ("jax",)

    def prepare(self, workload: Workload) -> None:
        self._jax: Any = importlib.import_module("jax")
        self._arguments = self._jax.device_put((workload.weights(), *workload.inputs()))
        self._jax.block_until_ready(self._arguments)
        self._function = self._jax.jit(workload.function)

    def load(self) -> None:
        self.call()

    def call(self) -> object:
        return self._jax.block_until_ready(self._function(*self._arguments))

    def results(self) -> list[Array]:
        return _arrays(self.call())


class Iree(Peer):
    """`iree-compile` at its highest level, with data tiling, for this CPU; weights are constants of the program.

    On one thread the device runs in the caller, on several in its task system. Arguments lie on the device. For the
    convolutions of resnet50 im2col is much faster, for those of mobilenetv2 much slower: it is asked for there alone.
    """

    name = "iree"
    label = "IREE"
    packages = ("iree", "jax")
    _distributions = ("iree-base-compiler", "iree-base-runtime")
    _left_out: ClassVar[dict[str, str]] = {
        "sort1e6": "IREE sorts in O(n²) steps: a call was not done after two minutes"
    }

    @classmethod
    def missing(cls) -> str | None:
        reason = super().missing()
        if reason is None:
            installed = {(d.metadata["Name"] or "").lower() for d in metadata.distributions()}
            absent = [name for name in cls._distributions if name not in installed]
            reason = f"not installed: {', '.join(absent)}" if absent else None
        return reason

    @classmethod
    def version(cls) -> str:
        return f"iree {metadata.version(cls._distributions[0])}"

    def prepare(self, workload: Workload) -> None:
        if workload.name in self._left_out:
            raise RuntimeError(self._left_out[workload.name])
        jax: Any = importlib.import_module("jax")
        mlir: Any = importlib.import_module("jax.interpreters.mlir")
        inputs = workload.inputs()
        weights = {name: jax.numpy.asarray(value) for name, value in workload.weights().items()}
        lowered = jax.jit(lambda *inputs: workload.function(weights, *inputs)).lower(*inputs)
        self._module = self.folder / f"{workload.name}.iree-{self.threads}.mlirbc"
        self._module.write_bytes(mlir.module_to_bytecode(lowered.compiler_ir("stablehlo")))
        self._flags = ["--iree-opt-level=O3", "--iree-opt-data-tiling", "--iree-llvmcpu-target-cpu=host"]
        if workload.name == "resnet50":
            self._flags.append("--iree-global-opt-use-im2col-for-convs")
        runtime: Any = importlib.import_module("iree.runtime")
        if self.threads > 1:
            runtime.flags.parse_flags(f"--task_topology_group_count={self.threads}")
        self._config = runtime.Config("local-sync" if self.threads == 1 else "local-task")
        self._inputs = [runtime.asdevicearray(self._config.device, x) for x in inputs]

    def load(self) -> None:
        compiler: Any = importlib.import_module("iree.compiler")
        runtime: Any = importlib.import_module("iree.runtime")
        program = self._module.with_suffix(".vmfb")
        compiler.compile_file(
            str(self._module),
            output_file=str(program),
            input_type="stablehlo",
            target_backends=["llvm-cpu"],
            extra_args=self._flags,
        )
        module = runtime.VmModule.mmap(self._config.vm_instance, str(program))
        hal = runtime.create_hal_module(self._config.vm_instance, self._config.device)
        context = runtime.SystemContext(config=self._config, vm_modules=[hal, module])
        self._main = context.modules[module.name]["main"]

    def call(self) -> object:
        return self._main(*self._inputs)

    def results(self) -> list[Array]:
        return _arrays(self.call())


class Torch(Peer):
    """PyTorch as it runs without being asked for more; image networks with their channels last."""

    name = "torch"
    label = "PyTorch"
    packages = ("torch",)

    def prepare(self, workload: Workload) -> None:
        self._torch: Any = importlib.import_module("torch")
        self._torch.set_num_threads(self.threads)
        self._workload = workload
        module = workload.torch_module(workload.weights())
        if workload.image_inputs and workload.channels_last:
            module = module.to(memory_format=self._torch.channels_last)
        self._module = module
        self._inputs = workload.torch_inputs(workload.inputs())

    def load(self) -> None:
        self.call()

    def call(self) -> object:
        with self._torch.no_grad():
            return self._module(*self._inputs)

    def results(self) -> list[Array]:
        return self._workload.nhwc_results(_arrays(self.call()))


class Inductor(Torch):
    """`torch.compile`, with weights frozen into the program and its caches off."""

    name = "inductor"
    label = "torch.compile"

    @classmethod
    def missing(cls) -> str | None:
        reason = super().missing()
        if reason is None and not any(map(shutil.which, ("c++", "g++", "clang++"))):
            return "no C++ compiler (c++, g++ or clang++)"
        return reason

    def load(self) -> None:
        config: Any = importlib.import_module("torch._inductor.config")
        config.freezing = True
        config.force_disable_caches = True
        self._torch._dynamo.reset()
        self._module = self._torch.compile(self._module, dynamic=False)
        for _ in range(2):  # the second call finds the guards settled
            self.call()


class OnnxPeer(Peer):
    """Reads the ONNX model that `torch.onnx.export` makes of the workload, once for all processes."""

    def prepare(self, workload: Workload) -> None:
        self._workload = workload
        self._inputs = workload.nchw_inputs(workload.inputs())
        self._path = self.folder / f"{workload.name}.onnx"
        failure = self._path.with_suffix(".failed")
        if failure.exists():
            raise RuntimeError(failure.read_text())
        if not self._path.exists():
            exporter = f"{__package__}.onnx_export"
            command = [sys.executable, "-m", exporter, workload.name, str(self._path)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
                failure.write_text(f"torch.onnx.export: {lines[-1]}")
                raise RuntimeError(failure.read_text())


class OnnxRuntime(OnnxPeer):
    """All graph optimizations; inputs and results bound once."""

    name = "onnxruntime"
    label = "ONNX Runtime"
    packages = ("onnxruntime", "torch", "onnx", "onnxscript")

    def load(self) -> None:
        ort: Any = importlib.import_module("onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self._session = ort.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
        self._values = [ort.OrtValue.ortvalue_from_numpy(x) for x in self._inputs]
        self._binding = self._session.io_binding()
        for declared, value in zip(self._session.get_inputs(), self._values, strict=True):
            self._binding.bind_ortvalue_input(declared.name, value)
        for declared in self._session.get_outputs():
            self._binding.bind_output(declared.name, "cpu")

    def call(self) -> object:
        return self._session.run_with_iobinding(self._binding)

    def results(self) -> list[Array]:
        self.call()
        return self._workload.nhwc_results(_arrays(self._binding.copy_outputs_to_cpu()))


class OpenVino(OnnxPeer):
    """One stream, for latency, in f32."""

    name = "openvino"
    label = "OpenVINO"
    packages = ("openvino", "torch", "onnx", "onnxscript")

    def load(self) -> None:
        openvino: Any = importlib.import_module("openvino")
        settings = {
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": 1,
        }
        self._model = openvino.Core().compile_model(str(self._path), "CPU", settings)
        self._request = self._model.create_infer_request()
        self._tensors = [openvino.Tensor(x, shared_memory=True) for x in self._inputs]
        for i, tensor in enumerate(self._tensors):
            self._request.set_input_tensor(i, tensor)

    def call(self) -> object:
        self._request.start_async()
        return self._request.wait()

    def results(self) -> list[Array]:
        self.call()
        count = len(self._model.outputs)
        return self._workload.nhwc_results([self._request.get_output_tensor(i).data.copy() for i in range(count)])


PEERS: dict[str, type[Peer]] = {p.name: p for p in (Tesselle, Jax, Iree, Torch, Inductor, OnnxRuntime, OpenVino)}


def find_peer(name: str) -> type[Peer]:
    """The peer of this name, or the class MODULE:CLASS. Errors: ValueError."""
    if ":" not in name:
        if name not in PEERS:
            raise ValueError(f"no peer {name!r}; there are {', '.join(PEERS)}, and MODULE:CLASS for one of your own")
        return PEERS[name]
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"no peer {name!r}: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Peer)):
        raise ValueError(f"{name!r} is no class derived from Peer")
    return found


def error_of(results: Sequence[Array], expected: Sequence[Array]) -> float:
    """max |result - expected| / max |expected|, the largest over all results; infinite where shapes or numbers fail."""
    if len(results) != len(expected):
        return float("inf")
    worst = 0.0
    for r, e in zip(results, expected, strict=True):
        if r.shape != e.shape or not np.isfinite(r).all():
            return float("inf")
        largest = float(np.abs(e).max(initial=0))
        difference = float(np.abs(r.astype(np.float64) - e).max(initial=0))
        worst = max(worst, difference / largest if largest else difference)
    return worst
