"""The artifact of a module that is through all phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tesselle.artifact.artifact import Artifact
from tesselle.artifact.schema import (
    ConstantRecord,
    EntryRecord,
    ExecutableRecord,
    FunctionRecord,
    HostFunctionRecord,
    Manifest,
    TensorSpec,
    VariableRecord,
)
from tesselle.codegen.vm.emit import emit_module
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import ALIASES, NAME, STRUCTURE, argument_names_of
from tesselle.dialects.hal import ops as hal
from tesselle.dialects.vm import ops as vm
from tesselle.ir.attributes import Attribute
from tesselle.ir.types import FunctionType, TensorType, Type
from tesselle.passes.input.create_initializer import INITIALIZER
from tesselle.passes.input.expand_quantized import QUANTIZATION
from tesselle.passes.input.promote_globals import UPDATES
from tesselle.passes.stream.convert_to_stream import SIGNATURE
from tesselle.passes.stream.pack_transients import PEAK_BYTES
from tesselle.support.version import __version__


def build_artifact(module: ModuleOp, name: str) -> Artifact:
    """Emit the host program and put everything into an artifact."""
    functions: list[FunctionRecord] = []
    executables: list[ExecutableRecord] = []
    images: list[bytes] = []
    constants: list[ConstantRecord] = []
    host_functions: list[HostFunctionRecord] = []
    arrays: list[np.ndarray[Any, Any]] = []
    variables: list[VariableRecord] = []
    initializer = ""
    for op in module.body:
        match op:
            case vm.FuncOp() if INITIALIZER in op.attributes:
                initializer = op.sym_name
            case vm.FuncOp() if op.is_exported:
                functions.extend(_function_records(op))
            case vm.GlobalOp() if op.tensor is not None:
                variables.append(VariableRecord(op.sym_name, op.tensor.dtype, op.tensor.shape, op.sym_name))
            case hal.ExecutableOp():
                for binary in op.binaries:
                    executables.append(_executable_record(op, binary))
                    images.append(binary.image.array.tobytes())
            case hal.HostFunctionOp():
                host_functions.append(HostFunctionRecord(op.target, op.config, op.source))
            case hal.ConstantDataOp():
                t = op.value.type
                constants.append(ConstantRecord(op.sym_name, t.dtype, t.static_shape, "", "", 0, 0))
                arrays.append(op.value.array)
            case _:
                pass
    manifest = Manifest(
        producer=f"tesselle {__version__}",
        module_name=name,
        functions=tuple(functions),
        executables=tuple(executables),
        constants=tuple(constants),
        host_functions=tuple(host_functions),
        variables=tuple(variables),
        initializer=initializer,
    )
    return Artifact.create(manifest, emit_module(module), images, arrays)


def _executable_record(op: hal.ExecutableOp, binary: hal.ExecutableBinaryOp) -> ExecutableRecord:
    return ExecutableRecord(
        name=op.sym_name,
        target=binary.target,
        triple=binary.triple,
        required_cpu_features=binary.required_features,
        file=f"executables/{op.sym_name}.bin",
        entries=tuple(EntryRecord(e.sym_name, e.summary, e.flops, e.bytes, e.source, e.kernel) for e in op.exports),
    )


def _function_records(op: vm.FuncOp) -> list[FunctionRecord]:
    """The function under each of its names."""
    signature = op.attributes.get(SIGNATURE)
    assert isinstance(signature, FunctionType)
    entry = op.body.blocks[0]
    of_arguments = _dictionaries(op.attributes.get("arg_attrs"), len(signature.inputs))
    of_results = _dictionaries(op.attributes.get("res_attrs"), len(signature.results))
    peak = op.attributes.get(PEAK_BYTES)
    place = op.location.file_location()
    record = FunctionRecord(
        name=_text(op.attributes.get(NAME), op.sym_name),
        arguments=_specs(argument_names_of(entry.args, of_arguments), of_arguments, signature.inputs),
        results=_specs(_result_names(of_results), of_results, signature.results),
        vm_function=op.sym_name,
        location=str(place) if place is not None else "",
        peak_transient_bytes=peak if isinstance(peak, int) else None,
        updates=UPDATES in op.attributes,
        structure=_text(op.attributes.get(STRUCTURE)),
    )
    aliases = op.attributes.get(ALIASES)
    return [record, *(_alias(record, a) for a in (aliases if isinstance(aliases, tuple) else ()))]


def _alias(record: FunctionRecord, given: Attribute) -> FunctionRecord:
    """The same function, called otherwise."""
    assert isinstance(given, Mapping)
    return replace(
        record,
        name=_text(given["name"]),
        arguments=_renamed(record.arguments, given["arguments"]),
        results=_renamed(record.results, given["results"]),
        structure=_text(given["structure"]),
    )


def _renamed(specs: Sequence[TensorSpec], names: Attribute) -> tuple[TensorSpec, ...]:
    assert isinstance(names, tuple)
    return tuple(replace(spec, name=_text(name)) for spec, name in zip(specs, names, strict=True))


def _text(attribute: Attribute, default: str = "") -> str:
    return attribute if isinstance(attribute, str) else default


def _specs(
    names: Sequence[str], attributes: Sequence[Mapping[str, Attribute]], types: Sequence[Type]
) -> tuple[TensorSpec, ...]:
    specs: list[TensorSpec] = []
    for name, given, t in zip(names, attributes, types, strict=True):
        assert isinstance(t, TensorType)
        quantization = given.get(QUANTIZATION)
        specs.append(TensorSpec(name, t.dtype, t.shape, quantization if isinstance(quantization, str) else ""))
    return tuple(specs)


def _dictionaries(attribute: Attribute, count: int) -> Sequence[Mapping[str, Attribute]]:
    """One dictionary for each argument or result."""
    given = attribute if isinstance(attribute, tuple) else ()
    found: list[Mapping[str, Attribute]] = [a if isinstance(a, Mapping) else {} for a in given]
    return found if len(found) == count else [{} for _ in range(count)]


def _result_names(attributes: Sequence[Mapping[str, Attribute]]) -> list[str]:
    names = [given.get(NAME) or given.get("jax.result_info") for given in attributes]
    texts = [n if isinstance(n, str) else "" for n in names]
    return [n if texts.count(n) == 1 else "" for n in texts]
