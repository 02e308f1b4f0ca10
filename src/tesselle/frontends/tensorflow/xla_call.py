"""Programs of StableHLO inside a SavedModel (tf.XlaCallModule), as JAX and Keras on JAX write them.

    %y = tf.XlaCallModule(%x) {module = "tesselle.module.0", platforms = ["CPU", "CUDA"], version = 10}
->  %p = stablehlo.constant dense<0> : tensor<i32>                      the number of "CPU" among several platforms
    %y = func.call @module.0.main(%p, %x)

The portable artifacts are read here; TensorFlow has never seen them. Source: the operation's description in
tensorflow/core/ops/xla_ops.cc; jax.export, calling convention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import CallOp, FuncOp
from tesselle.dialects.core.tensor import CastOp
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.frontends.tensorflow.graph import MODULE
from tesselle.frontends.tensorflow.wire import Message
from tesselle.ir.attributes import Attribute, DenseElements, IntegerAttr, SymbolRef
from tesselle.ir.builder import Builder
from tesselle.ir.bytecode import parse_bytecode
from tesselle.ir.core import Op, Value
from tesselle.ir.symbols import rename_symbols, symbols_of
from tesselle.ir.types import TensorType, Type, types_compatible
from tesselle.support.diagnostics import Unsupported, VerifyError
from tesselle.support.dtypes import I32

NAME = "tf.XlaCallModule"
_VERSIONS = range(5, 11)
"""Of the calling convention. Earlier ones take sizes as arguments of their own."""
_CALL_TF = "tf.call_tf_function"


class EmbeddedModules:
    """The programs that were taken out of a model; each becomes functions of `module` when it is first called."""

    def __init__(self, module: ModuleOp, contents: Sequence[Message]) -> None:
        self._module = module
        self._contents = contents
        self._mains: dict[tuple[int, tuple[SymbolRef, ...]], FuncOp] = {}

    def expand(self) -> None:
        """Put calls in place of all operations that run them. Errors: Unsupported, VerifyError."""
        for op in list(self._module.walk()):
            if op.name == NAME:
                self._call(op)

    def _call(self, op: Op) -> None:
        version = op.attributes.get("version")
        number = version.value if isinstance(version, IntegerAttr) else version
        if number not in _VERSIONS:
            known = f"{_VERSIONS.start} to {_VERSIONS.stop - 1} are"
            _refuse(op, f"StableHLO in calling convention {number} ({known})")
        if op.attributes.get("has_token_input_output") is True:
            _refuse(op, "StableHLO with tokens between it and TensorFlow")
        main = self._main(op)
        b = Builder.before_op(op)
        values = [*self._platform_index(op, b), *op.operands]
        inputs, results = main.function_type.inputs, main.function_type.results
        if (len(values), len(op.results)) != (len(inputs), len(results)):
            what = f"{len(inputs)} arguments and {len(results)} results"
            raise VerifyError(f"the embedded program has {what}", op.location, NAME)
        arguments = [_cast(op, b, v, t) for v, t in zip(values, inputs, strict=True)]
        call = b.insert(CallOp(SymbolRef(main.sym_name), arguments, results))
        op.replace_with([_cast(op, b, r, old.type) for r, old in zip(call.results, op.results, strict=True)])

    def _platform_index(self, op: Op, b: Builder) -> list[Value]:
        """Which of several platforms this is: the first argument of the program."""
        platforms = [str(p).upper() for p in _strings(op.attributes.get("platforms"))]
        if platforms and "CPU" not in platforms:
            _refuse(op, f"StableHLO for {', '.join(platforms)} alone")
        if len(platforms) < 2:
            return []
        index = np.array(platforms.index("CPU"), np.int32)
        return [b.insert(ConstantOp(DenseElements(index, TensorType((), I32)))).result]

    def _main(self, op: Op) -> FuncOp:
        text = op.attributes.get("module")
        number = int(text.removeprefix(MODULE)) if isinstance(text, str) and text.startswith(MODULE) else -1
        if not 0 <= number < len(self._contents):
            raise VerifyError("there is no embedded program", op.location, NAME)
        functions = tuple(f for f in _tuple(op.attributes.get("function_list")) if isinstance(f, SymbolRef))
        main = self._mains.get((number, functions))
        if main is None:
            main = self._mains[number, functions] = self._read(op, number, functions)
        return main

    def _read(self, op: Op, number: int, functions: Sequence[SymbolRef]) -> FuncOp:
        """Move the functions of a program into the module, under names of their own; its main function."""
        content = self._contents[number]
        program = parse_bytecode(content.data, content.file)
        main = program.lookup("main") if isinstance(program, ModuleOp) else None
        if not isinstance(main, FuncOp) or main.is_declaration:
            raise VerifyError("the embedded program has no function 'main'", op.location, NAME)
        taken = {name for name, _ in symbols_of(self._module)}
        prefix = f"module.{number}"
        count = 0
        while any(name.startswith(f"{prefix}.") for name in taken):
            count += 1
            prefix = f"module.{number}.{count}"
        rename_symbols(program, {name: f"{prefix}.{name}" for name, _ in symbols_of(program)})
        for inner in list(program.walk()):
            if isinstance(inner, CustomCallOp) and inner.call_target_name == _CALL_TF:
                _call_back(inner, functions)
        for function in list(program.regions[0].block):
            function.attributes["sym_visibility"] = "private"
            self._module.body.append(function.detach())
        return main


def _call_back(op: CustomCallOp, functions: Sequence[SymbolRef]) -> None:
    """A call of a function of TensorFlow, which the program knows by its number."""
    config = op.attributes.get("tf.backend_config")
    index = config.get("called_index") if isinstance(config, Mapping) else None
    index = index.value if isinstance(index, IntegerAttr) else index
    if not isinstance(index, int) or not 0 <= index < len(functions):
        raise VerifyError("an embedded program calls a function of TensorFlow that is not there", op.location, _CALL_TF)
    call = Builder.before_op(op).insert(CallOp(functions[index], tuple(op.operands), op.result_types))
    op.replace_with(list(call.results))


def _cast(op: Op, b: Builder, value: Value, t: Type) -> Value:
    """The value as a tensor of which more, or less, is known."""
    if value.type == t:
        return value
    if not isinstance(t, TensorType) or not types_compatible(value.type, t):
        raise VerifyError(f"the embedded program has {t}, its caller {value.type}", op.location, NAME)
    return b.insert(CastOp(value, t)).result


def _tuple(attribute: Attribute) -> tuple[Attribute, ...]:
    return attribute if isinstance(attribute, tuple) else ()


def _strings(attribute: Attribute) -> list[str]:
    return [a for a in _tuple(attribute) if isinstance(a, str)]


def _refuse(op: Op, what: str) -> NoReturn:
    raise Unsupported(f"{what} is not supported", op.location, NAME)
