"""Text of `linalg`: `linalg.name {…} ins(%a, … : T, …) outs(%b : U) { … } -> U`."""

from __future__ import annotations

import tesselle.dialects.linalg.packed  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it declares the operations
from tesselle.dialects.linalg import ops
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op, Region, Value
from tesselle.ir.declare import spec_of
from tesselle.ir.text.format import register_format, register_value_list
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import ParseOp, PrintOp, register_assembly
from tesselle.ir.types import Type


def _values(p: Parser) -> list[Value]:
    """`(%a, … : T, …)`."""
    p.expect("(")
    places = p.operands()
    types: list[Type] = []
    if places:
        p.expect(":")
        types = p.type_list()
    p.expect(")")
    return p.resolve_all(places, types)


def _structured(cls: type[Op], ins: int) -> tuple[ParseOp, PrintOp]:
    """Reader and writer of an operation whose first `ins` operand groups are inputs, the last one outputs."""
    spec = spec_of(cls)
    has_outs = len(spec.operands) > ins

    def parse(p: Parser) -> Op:
        attributes: dict[str, Attribute] = {}
        if p.token == "{":
            p.declared_attributes(cls, attributes)
        p.expect("ins")
        inputs = _values(p)
        outputs: list[Value] = []
        if has_outs:
            p.expect("outs")
            outputs = _values(p)
        regions: list[Region] = [p.region()] if spec.regions else []
        results = p.result_types() if p.accept("->") else []
        segments = (len(inputs), len(outputs)) if spec.has_segments else None
        return cls.build([*inputs, *outputs], results, attributes, regions, (), segments)

    def write(p: Printer, op: Op) -> None:
        attributes = p.attribute_dict_text(op)
        p.write(f" {attributes}" if attributes else "")
        count = len(op.operands)
        if has_outs:
            count = op.operand_segments[0] if op.operand_segments is not None else ins
        p.write(f" ins({_group(p, op.operands[:count])})")
        if has_outs:
            p.write(f" outs({_group(p, op.operands[count:])})")
        if op.regions:
            p.write(" ")
            p.region(op.regions[0])
        if op.results:
            types = ", ".join(str(r.type) for r in op.results)
            p.write(f" -> {types}" if len(op.results) == 1 else f" -> ({types})")

    return parse, write


def _group(p: Printer, values: tuple[Value, ...]) -> str:
    return f"{p.value_names(values)} : {', '.join(str(v.type) for v in values)}" if values else ""


register_assembly(ops.GenericOp, *_structured(ops.GenericOp, 1))
register_assembly(ops.FillOp, *_structured(ops.FillOp, 1))
register_assembly(ops.ContractOp, *_structured(ops.ContractOp, 2))
register_assembly(ops.ConvOp, *_structured(ops.ConvOp, 2))
register_assembly(ops.SortOp, *_structured(ops.SortOp, 1))
register_format(ops.IndexOp, "$dim attr-dict")
register_value_list(ops.YieldOp)
