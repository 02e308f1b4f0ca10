"""A VM module as plain data, a builder for it, and its text form.

    b = FunctionBuilder("main", argument_types=["i64", "i64"], result_types=["i64"])
    x, y = b.arguments
    (s,) = b.emit("add.i64", x, y)
    b.emit("return", (s,))
    module = VmModule((b.finish(),))
    data = encode(module)          # vm_encoding; decode(data) == module

Operands in the plain data: a register is its number; immediates are int or float; a dtype is a DType; labels,
functions, strings and globals are named (`str`); lists are tuples; a binding is a `Binding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tesselle.artifact import vm_isa
from tesselle.artifact.vm_isa import Instruction, OperandKind, RegisterType
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import DType


@dataclass(frozen=True, slots=True)
class Binding:
    """A buffer range of a dispatch: `offset`, `length` are i64 registers, `access` is a mask of ACCESS_READ/WRITE."""

    slot: int
    offset: int
    length: int
    access: int


Operand = int | float | str | DType | tuple[int, ...] | tuple[Binding, ...]
"""What an operand may be; its kind in the instruction table says which."""

Result = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VmInstruction:
    """One instruction: its row is `vm_isa.BY_NAME[name]`."""

    name: str
    operands: tuple[Operand, ...] = ()
    results: tuple[Result, ...] = ()

    @property
    def row(self) -> Instruction:
        return vm_isa.BY_NAME[self.name]


@dataclass(frozen=True, slots=True)
class VmLabel:
    """Marks the place of the next instruction, for branches."""

    name: str


@dataclass(frozen=True, slots=True)
class VmGlobal:
    """A variable that every session has its own copy of. `initial` is the number it begins with (refs begin null)."""

    name: str
    type: RegisterType
    initial: int | float = 0


@dataclass(frozen=True, slots=True)
class VmFunction:
    """A function: its first `arg_count` registers are the arguments; only exported ones can be called from outside."""

    name: str
    arg_count: int
    register_types: tuple[RegisterType, ...]
    result_types: tuple[RegisterType, ...]
    code: tuple[VmInstruction | VmLabel, ...]
    exported: bool = True

    @property
    def argument_types(self) -> tuple[RegisterType, ...]:
        return self.register_types[: self.arg_count]


@dataclass(frozen=True, slots=True)
class VmModule:
    """A host program. `initializer` names the function, without arguments or results, that sets up a new session."""

    functions: tuple[VmFunction, ...] = ()
    globals: tuple[VmGlobal, ...] = ()
    initializer: str | None = None

    def function(self, name: str) -> VmFunction:
        """The function called `name`; ArtifactError when there is none."""
        for function in self.functions:
            if function.name == name:
                return function
        raise ArtifactError(f"host.vm: no function named '{name}'")

    @property
    def strings(self) -> tuple[str, ...]:
        """Every string of the module, each once: names, then messages, in order of first use."""
        found: dict[str, None] = {}
        for variable in self.globals:
            found.setdefault(variable.name)
        for function in self.functions:
            found.setdefault(function.name)
        for function in self.functions:
            for item in function.code:
                # Malformed instructions are for the encoder to report.
                row = vm_isa.BY_NAME.get(item.name) if isinstance(item, VmInstruction) else None
                if isinstance(item, VmInstruction) and row is not None:
                    for parameter, operand in zip(row.operands, item.operands, strict=False):
                        if parameter.kind is OperandKind.STRING and isinstance(operand, str):
                            found.setdefault(operand)
        return tuple(found)


TypeName = str | RegisterType


def register_type(name: TypeName) -> RegisterType:
    """The register type spelled `name` ("i32", "i64", "f32", "f64", "ref")."""
    return name if isinstance(name, RegisterType) else RegisterType[name.upper()]


@dataclass
class FunctionBuilder:
    """Assembles one function: hands out registers, appends instructions.

    Registers are not SSA: `emit(..., results=[r])` writes an existing register.
    """

    name: str
    argument_types: Sequence[TypeName] = field(default=(), kw_only=True)
    result_types: Sequence[TypeName] = field(default=(), kw_only=True)
    exported: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        self._types: list[RegisterType] = [register_type(t) for t in self.argument_types]
        self._code: list[VmInstruction | VmLabel] = []
        self._labels = 0

    @property
    def arguments(self) -> tuple[int, ...]:
        """The registers of the arguments."""
        return tuple(range(len(self.argument_types)))

    def register(self, type: TypeName) -> int:
        """A new register."""
        self._types.append(register_type(type))
        return len(self._types) - 1

    def new_label(self, hint: str = "bb") -> str:
        """A fresh label name, to be placed with `label`."""
        self._labels += 1
        return f"{hint}{self._labels}"

    def label(self, name: str) -> None:
        """Place a label here."""
        self._code.append(VmLabel(name))

    def emit(self, name: str, *operands: Operand, results: Sequence[int] | None = None) -> tuple[int, ...]:
        """Append an instruction; returns its result registers, new ones unless `results` gives them.

        `call` needs `results` (the callee's signature is not known here).
        """
        row = vm_isa.BY_NAME[name]
        if name == "call":
            if results is None:
                raise ValueError("emit('call', …) needs results=[…]")
            self._code.append(VmInstruction(name, operands, (tuple(results),)))
            return tuple(results)
        if results is None:
            results = [self.register(RegisterType(p.kind.value)) for p in row.results]
        self._code.append(VmInstruction(name, operands, tuple(results)))
        return tuple(results)

    def finish(self) -> VmFunction:
        """The function as plain data."""
        return VmFunction(
            name=self.name,
            arg_count=len(self.argument_types),
            register_types=tuple(self._types),
            result_types=tuple(register_type(t) for t in self.result_types),
            code=tuple(self._code),
            exported=self.exported,
        )


def _operand_text(kind: OperandKind, operand: Operand | Result) -> str:
    if kind.is_register:
        return f"r{operand}"
    if kind.is_register_list:
        assert isinstance(operand, tuple)
        return "[" + ", ".join(f"r{r}" for r in operand) + "]"
    if kind is OperandKind.BINDINGS:
        assert isinstance(operand, tuple)
        names = {0: "-", 1: "r", 2: "w", 3: "rw"}
        items = [
            f"{names.get(b.access, '?')} s{b.slot}[r{b.offset}, r{b.length}]" for b in operand if isinstance(b, Binding)
        ]
        return "{" + ", ".join(items) + "}"
    if kind is OperandKind.STRING:
        return '"' + str(operand).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if kind in (OperandKind.FUNCTION, OperandKind.GLOBAL):
        return f"@{operand}"
    if kind is OperandKind.LABEL:
        return f"^{operand}"
    return str(operand)


def format_instruction(instruction: VmInstruction) -> str:
    """`r3 = add.i64 r1, r2`."""
    row = instruction.row
    pairs = zip(row.operands, instruction.operands, strict=True)
    operands = ", ".join(_operand_text(p.kind, o) for p, o in pairs)
    results = ", ".join(_operand_text(p.kind, r) for p, r in zip(row.results, instruction.results, strict=True))
    text = f"{instruction.name} {operands}".rstrip()
    return f"{results} = {text}" if results and results != "[]" else text


def disassemble(module: VmModule) -> str:
    """The whole module as text, for people (`tesselle dump`)."""
    lines: list[str] = []
    for variable in module.globals:
        initial = "" if variable.type is RegisterType.REF else f" = {variable.initial}"
        lines.append(f"global @{variable.name} : {variable.type.spelling}{initial}")
    for function in module.functions:
        arguments = ", ".join(f"r{i}: {t.spelling}" for i, t in enumerate(function.argument_types))
        results = ", ".join(t.spelling for t in function.result_types)
        word = "export func" if function.exported else "func"
        note = "  // initializer" if function.name == module.initializer else ""
        lines.append(f"{word} @{function.name}({arguments}) -> ({results}) {{{note}")
        locals_ = function.register_types[function.arg_count :]
        if locals_:
            names = (f"r{i}: {t.spelling}" for i, t in enumerate(locals_, function.arg_count))
            lines.append("  registers " + ", ".join(names))
        for item in function.code:
            lines.append(f"^{item.name}:" if isinstance(item, VmLabel) else "  " + format_instruction(item))
        lines.append("}")
    return "\n".join(lines) + "\n"
