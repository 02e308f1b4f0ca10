"""Declaration of operations: one class per op is the single source of truth for reader, printer, builder, verifier.

    @op("stablehlo.transpose", PURE)
    class TransposeOp(Op):
        operand: Value = operand_def()
        permutation: tuple[int, ...] = attr_def()

        def infer(self) -> list[Type]: ...

makes `TransposeOp(x, (1, 0))`: fields are constructor arguments in the order of their declaration. Results come from
`infer`, or from a `result_type_def()` / `result_types_def()` field where operands do not determine them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

from tesselle.ir.attributes import UNIT
from tesselle.ir.core import Op, OpResult, Region, Trait
from tesselle.support.locations import UNKNOWN

OpT = TypeVar("OpT", bound=Op)
_MISSING: Any = object()


class FieldKind(enum.Enum):
    OPERAND = "operand"
    OPTIONAL_OPERAND = "optional operand"
    VARIADIC = "variadic operands"
    ATTRIBUTE = "attribute"
    REGION = "region"
    REGIONS = "variadic regions"
    SUCCESSOR = "successor"
    RESULT_TYPE = "result type"
    RESULT_TYPES = "result types"


class Field:
    """A declared field; as a descriptor it reads the part of the operation that it names."""

    __slots__ = ("attr_name", "default", "index", "kind", "name", "segmented")

    def __init__(self, kind: FieldKind, default: Any = _MISSING, attr_name: str | None = None) -> None:
        self.kind = kind
        self.default = default
        self.name = ""
        self.attr_name = attr_name or ""
        self.index = 0
        self.segmented = False

    @property
    def has_default(self) -> bool:
        return self.default is not _MISSING

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.attr_name = self.attr_name or name

    def __get__(self, op: Op | None, owner: type) -> Any:
        if op is None:
            return self
        kind = self.kind
        if kind is FieldKind.ATTRIBUTE:
            value: Any = op.attributes.get(self.attr_name, _MISSING)
            if value is not _MISSING:
                return True if value is UNIT else value
            if self.default is _MISSING:
                op.fail("attribute", f"attribute '{self.attr_name}' is missing")
            return self.default
        if kind is FieldKind.OPERAND:
            return op.operands[self._start(op)]
        if kind is FieldKind.VARIADIC:
            start = self._start(op)
            return op.operands[start : start + self._size(op)]
        if kind is FieldKind.OPTIONAL_OPERAND:
            return op.operands[self._start(op)] if self._size(op) else None
        if kind is FieldKind.REGION:
            return op.regions[self.index]
        if kind is FieldKind.REGIONS:
            return op.regions[self.index :]
        if kind is FieldKind.SUCCESSOR:
            return op.successors[self.index]
        if kind is FieldKind.RESULT_TYPE:
            return op.results[self.index].type
        return op.result_types

    def __set__(self, op: Op, value: Any) -> None:
        if self.kind is FieldKind.ATTRIBUTE:
            op.attributes[self.attr_name] = value
        elif self.kind is FieldKind.OPERAND:
            op.set_operand(self._start(op), value)
        elif self.kind is FieldKind.RESULT_TYPE:
            op.results[self.index].type = value
        else:
            raise AttributeError(f"{self.name} ({self.kind.value}) cannot be assigned; rebuild the operation")

    def _start(self, op: Op) -> int:
        if not self.segmented:
            return self.index if self.index >= 0 else len(op.operands) + self.index
        assert op.operand_segments is not None
        return sum(op.operand_segments[: self.index])

    def _size(self, op: Op) -> int:
        if self.segmented:
            assert op.operand_segments is not None
            return op.operand_segments[self.index]
        # The only variadic group takes what the single operands around it leave.
        return len(op.operands) - spec_of(op).single_operand_count


def operand_def() -> Any:
    """One operand."""
    return Field(FieldKind.OPERAND)


def optional_operand_def(*, default: None = None) -> Any:
    """An operand that may be absent (None)."""
    return Field(FieldKind.OPTIONAL_OPERAND, default)


def variadic_def() -> Any:
    """Any number of operands; two or more such groups make `operandSegmentSizes`."""
    return Field(FieldKind.VARIADIC)


def attr_def(*, default: Any = _MISSING, name: str | None = None) -> Any:
    """An attribute; `name` is its spelling in text where it differs from the field's."""
    return Field(FieldKind.ATTRIBUTE, default, name)


def region_def(*, default: Any = _MISSING) -> Any:
    """A region; `default=None` gives an empty one when the constructor gets none."""
    return Field(FieldKind.REGION, default)


def regions_def() -> Any:
    """Any number of regions, after all others."""
    return Field(FieldKind.REGIONS)


def successor_def() -> Any:
    return Field(FieldKind.SUCCESSOR)


def result_type_def() -> Any:
    """The type of a result that operands do not determine; a constructor argument."""
    return Field(FieldKind.RESULT_TYPE)


def result_types_def() -> Any:
    """The types of all results, as a sequence; a constructor argument."""
    return Field(FieldKind.RESULT_TYPES)


@dataclass(frozen=True)
class OpSpec:
    """What a declaration says, in the order of its fields."""

    name: str
    fields: tuple[Field, ...]
    operands: tuple[Field, ...]
    attributes: tuple[Field, ...]
    regions: tuple[Field, ...]
    successors: tuple[Field, ...]
    results: tuple[Field, ...]
    infers: bool
    single_operand_count: int
    has_segments: bool
    """Whether operands are split by `operandSegmentSizes`."""
    has_optional_operand: bool
    fixed_region_count: int
    has_open_regions: bool
    required_attributes: tuple[str, ...]
    given_result_count: int | None
    """How many results the declaration gives types for; None when any number."""


OPS: dict[str, type[Op]] = {}
"""Every declared operation by its full name; filled as dialect modules are imported."""


def spec_of(op: Op | type[Op]) -> OpSpec:
    """The declaration of an operation."""
    cls = op if isinstance(op, type) else type(op)
    return cls.SPEC  # type: ignore[attr-defined]  # set by the decorator


@dataclass_transform(
    field_specifiers=(
        operand_def,
        optional_operand_def,
        variadic_def,
        attr_def,
        region_def,
        regions_def,
        successor_def,
        result_type_def,
        result_types_def,
    ),
    eq_default=False,
)
def op(name: str, *traits: Trait) -> Callable[[type[OpT]], type[OpT]]:
    """Declare the operation `name` with `traits`; see the module's text."""

    def declare(cls: type[OpT]) -> type[OpT]:
        fields = _own_fields(cls)
        spec = _make_spec(name, cls, fields)
        cls.NAME = name
        cls.TRAITS = frozenset(traits)
        cls.SPEC = spec  # type: ignore[attr-defined]  # declared here for every op
        cls.__init__ = _make_init(spec)  # type: ignore[method-assign]  # that is the point: the class gets its constructor
        if name in OPS:
            raise ValueError(f"operation {name} is declared twice")
        OPS[name] = cls
        return cls

    return declare


@dataclass_transform(
    field_specifiers=(operand_def, optional_operand_def, variadic_def, attr_def, region_def, result_type_def),
    eq_default=False,
)
def op_base(cls: type[OpT]) -> type[OpT]:
    """Mark a class whose fields several operations share; it is no operation itself."""
    return cls


def _own_fields(cls: type[Op]) -> tuple[Field, ...]:
    """The fields of `cls` and its bases, bases first, each a copy of its own (positions differ between classes)."""
    found: dict[str, Field] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Field):
                copy = Field(value.kind, value.default, value.attr_name)
                copy.name = name
                found[name] = copy
    for name, f in found.items():
        setattr(cls, name, f)
    return tuple(found.values())


def _make_spec(name: str, cls: type[Op], fields: tuple[Field, ...]) -> OpSpec:
    def of(*kinds: FieldKind) -> tuple[Field, ...]:
        return tuple(f for f in fields if f.kind in kinds)

    operands = of(FieldKind.OPERAND, FieldKind.OPTIONAL_OPERAND, FieldKind.VARIADIC)
    singles = len(of(FieldKind.OPERAND))
    infers = cls.infer is not Op.infer
    results = of(FieldKind.RESULT_TYPE, FieldKind.RESULT_TYPES)
    given: int | None = len(results)
    if (not results and infers) or of(FieldKind.RESULT_TYPES):
        given = None
    spec = OpSpec(
        name,
        fields,
        operands,
        of(FieldKind.ATTRIBUTE),
        of(FieldKind.REGION, FieldKind.REGIONS),
        of(FieldKind.SUCCESSOR),
        results,
        infers,
        singles,
        len(operands) - singles > 1,
        bool(of(FieldKind.OPTIONAL_OPERAND)),
        len(of(FieldKind.REGION)),
        bool(of(FieldKind.REGIONS)),
        tuple(f.attr_name for f in of(FieldKind.ATTRIBUTE) if not f.has_default),
        given,
    )
    after_variadic = False
    for i, f in enumerate(operands):
        f.segmented = spec.has_segments
        f.index = i if spec.has_segments or not after_variadic else i - len(operands)
        after_variadic = after_variadic or f.kind is not FieldKind.OPERAND
    for group in (spec.regions, spec.successors, spec.results):
        for i, f in enumerate(group):
            f.index = i
    return spec


def _make_init(spec: OpSpec) -> Callable[..., None]:
    """A constructor that takes the fields in order, infers result types and assembles the operation.

    It is compiled from text, as `dataclasses` does: operations are built by the thousand, and this halves the time.
    """
    parameters = ["self"]
    names: dict[str, Any] = {"Region": Region, "OpResult": OpResult, "UNKNOWN": UNKNOWN, "same": _same}
    for f in sorted(spec.fields, key=lambda f: f.has_default):
        names[f"default_{f.name}"] = f.default
        parameters.append(f"{f.name}=default_{f.name}" if f.has_default else f.name)

    def group(f: Field) -> str:
        if f.kind in (FieldKind.VARIADIC, FieldKind.REGIONS, FieldKind.RESULT_TYPES):
            return f"*{f.name}, "
        if f.kind is FieldKind.OPTIONAL_OPERAND:
            return f"*(() if {f.name} is None else ({f.name},)), "
        if f.kind is FieldKind.REGION and f.has_default:
            return f"Region() if {f.name} is None else {f.name}, "
        return f"{f.name}, "

    def sizes(f: Field) -> str:
        if f.kind is FieldKind.VARIADIC:
            return f"len({f.name}), "
        return f"{f.name} is not None and 1 or 0, " if f.kind is FieldKind.OPTIONAL_OPERAND else "1, "

    required = ", ".join(f"{f.attr_name!r}: {f.name}" for f in spec.attributes if not f.has_default)
    lines = [f"def __init__({', '.join(parameters)}):", f" attributes = {{{required}}}"]
    lines += [
        f" if not same({f.name}, default_{f.name}): attributes[{f.attr_name!r}] = {f.name}"
        for f in spec.attributes
        if f.has_default
    ]
    lines.append(
        f" self.assemble(({''.join(map(group, spec.operands))}), ({''.join(map(group, spec.results))}), attributes,"
        f" ({''.join(map(group, spec.regions))}), ({''.join(map(group, spec.successors))}),"
        f" {'(' + ''.join(map(sizes, spec.operands)) + ')' if spec.has_segments else None}, UNKNOWN)"
    )
    if spec.infers and not spec.results:
        lines.append(" self.results = tuple([OpResult(t, self, i) for i, t in enumerate(self.infer() or ())])")
    namespace: dict[str, Any] = {}
    exec("\n".join(lines), names, namespace)
    return namespace["__init__"]


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and a == b)
