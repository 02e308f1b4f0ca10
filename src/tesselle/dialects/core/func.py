"""`func`: functions, calls and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tesselle.ir.attributes import Attribute, SymbolRef
from tesselle.ir.core import ISOLATED, TERMINATOR, Block, Op, Region, Value
from tesselle.ir.declare import attr_def, op, region_def, result_types_def, variadic_def
from tesselle.ir.symbols import lookup
from tesselle.ir.types import FunctionType, Type
from tesselle.support.locations import Location, NameLocation

AttributeDicts = tuple[Mapping[str, Attribute], ...]

NAME, STRUCTURE, ALIASES = "tesselle.name", "tesselle.structure", "tesselle.aliases"
"""Attributes for whoever calls a public function. NAME, also of arguments and results: what it is called, where that is
not its symbol. STRUCTURE: how arguments and results nest (`artifact.structure`). ALIASES: dictionaries with `name`,
`structure`, and the names of `arguments` and `results`, one for each further name that the function has.
"""


@op("func.func", ISOLATED)
class FuncOp(Op):
    """A function; without blocks in `body` it is a declaration.

    `arg_attrs` and `res_attrs` hold one dictionary per argument and result, or are None when all are empty.
    Errors: function_type (arguments of the entry block differ from the type), visibility, arg_attrs, res_attrs.
    """

    sym_name: str = attr_def()
    function_type: FunctionType = attr_def()
    body: Region = region_def(default=None)
    sym_visibility: str | None = attr_def(default=None)
    arg_attrs: AttributeDicts | None = attr_def(default=None)
    res_attrs: AttributeDicts | None = attr_def(default=None)

    @staticmethod
    def with_entry(name: str, inputs: Sequence[Type], results: Sequence[Type], visibility: str | None = None) -> FuncOp:
        """A function with an entry block that has the arguments of its type and no operations."""
        body = Region([Block(list(inputs))])
        return FuncOp(name, FunctionType(tuple(inputs), tuple(results)), body, visibility)

    @property
    def is_declaration(self) -> bool:
        return self.regions[0].is_empty

    @property
    def is_public(self) -> bool:
        return self.attributes.get("sym_visibility") in (None, "public")

    @property
    def entry(self) -> Block:
        """The entry block; IndexError when the function is a declaration."""
        return self.regions[0].blocks[0]

    @property
    def args(self) -> Sequence[Value]:
        """The arguments of the entry block; none when the function is a declaration."""
        return self.entry.args if not self.is_declaration else ()

    def check(self) -> None:
        t = self.attributes.get("function_type")
        if not isinstance(t, FunctionType):
            self.fail("function_type", f"expected a function type, found {t}")
            raise AssertionError
        if self.sym_visibility not in (None, "public", "private", "nested"):
            self.fail("visibility", f"expected public, private or nested, found {self.sym_visibility}")
        if not self.is_declaration:
            found = tuple(a.type for a in self.entry.args)
            if found != t.inputs:
                expected = ", ".join(map(str, t.inputs))
                self.fail(
                    "function_type",
                    f"the entry block of @{self.sym_name} must have arguments ({expected}),"
                    f" found ({', '.join(map(str, found))})",
                )
        for name, attrs, count in (
            ("arg_attrs", self.arg_attrs, len(t.inputs)),
            ("res_attrs", self.res_attrs, len(t.results)),
        ):
            if attrs is not None and len(attrs) != count:
                self.fail(name, f"expected {count} dictionaries, found {len(attrs)}")


@op("func.return", TERMINATOR)
class ReturnOp(Op):
    """Returns `values` from the enclosing function; their types are the function's result types."""

    values: Sequence[Value] = variadic_def()

    def check(self) -> None:
        parent = self.parent_op
        if not isinstance(parent, FuncOp):
            return
        expected = parent.function_type.results
        found = tuple(v.type for v in self.operands)
        if found != expected:
            self.fail(
                "type",
                f"@{parent.sym_name} returns ({', '.join(map(str, expected))}), found ({', '.join(map(str, found))})",
            )


@op("func.call")
class CallOp(Op):
    """Calls the function `callee`. Errors: callee (unknown, or no function), type (arguments or results differ)."""

    callee: SymbolRef = attr_def()
    arguments: Sequence[Value] = variadic_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        if self.parent_op is None:
            return
        target = lookup(self, self.callee)
        if target is None:
            self.fail("callee", f"there is no function {self.callee}")
        t = target.attributes.get("function_type") if target is not None else None
        if not isinstance(t, FunctionType):
            self.fail("callee", f"{self.callee} is not a function")
        assert isinstance(t, FunctionType)
        found = FunctionType(tuple(v.type for v in self.operands), self.result_types)
        self.require(found == t, "type", f"{self.callee} has type {t}, called as {found}")


def argument_names_of(args: Sequence[Value], attributes: Sequence[Mapping[str, Attribute]]) -> list[str]:
    """What the producer called the arguments, where that is unique; else arg0, arg1, …"""
    names: list[str] = []
    for i, (arg, given) in enumerate(zip(args, attributes, strict=True)):
        location: Location | None = getattr(arg, "location", None)
        name = given.get(NAME) or (location.name if isinstance(location, NameLocation) else None)
        name = name or arg.name_hint
        names.append(name if isinstance(name, str) and name and not name.isdigit() else f"arg{i}")
    return [n if names.count(n) == 1 else f"arg{i}" for i, n in enumerate(names)]


def argument_names(function: FuncOp) -> list[str]:
    """The names of the arguments of a function, as the artifact has them."""
    args, given = function.args, function.arg_attrs
    nothing: Mapping[str, Attribute] = {}
    return argument_names_of(args, given if given and len(given) == len(args) else [nothing] * len(args))
