"""Text of Shardy. Its attributes are kept as they are written: `<@mesh, [{"x"}, {}]>` is `#sdy.sharding<…>`."""

from __future__ import annotations

from tesselle.dialects.sdy.ops import (
    Direction,
    ManualComputationOp,
    MeshOp,
    NamedComputationOp,
    PropagationBarrierOp,
    ReshardOp,
    ReturnOp,
    ShardingConstraintOp,
    ShardingGroupOp,
)
from tesselle.ir.attributes import Attribute, OpaqueAttr
from tesselle.ir.core import Op, Value
from tesselle.ir.text.format import register_format, register_value_list
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer, symbol_name_text
from tesselle.ir.text.registry import register_assembly
from tesselle.ir.types import FunctionType

SHARDING = "#sdy.sharding"
SHARDINGS = "#sdy.sharding_per_value"


def _short(value: Attribute, name: str) -> str | None:
    """The attribute without its name, None when it is another one."""
    text = value.text if isinstance(value, OpaqueAttr) else ""
    return text[len(name) :] if text.startswith(name) else None


def _parse_mesh(p: Parser) -> Op:
    """`@mesh = <["x"=2, "y"=4]>`."""
    attributes: dict[str, Attribute] = {"sym_name": p.symbol()}
    p.expect("=")
    attributes["mesh"] = OpaqueAttr("#sdy.mesh" + p.bracketed())
    if p.token == "{":
        p.declared_attributes(MeshOp, attributes)
    return MeshOp.build((), (), attributes)


def _print_mesh(p: Printer, op: MeshOp) -> None:
    short = _short(op.mesh, "#sdy.mesh")
    if short is None:
        return
    p.write(f" {symbol_name_text(op.sym_name)} = {short}")
    _print_attributes(p, op, ("sym_name", "mesh"))


def _print_attributes(p: Printer, op: Op, named: tuple[str, ...]) -> None:
    attributes = p.attribute_dict_text(op, named)
    if attributes:
        p.write(f" {attributes}")


def _sharded(cls: type[ShardingConstraintOp] | type[ReshardOp]) -> None:
    """`%x <@mesh, [{"x"}]> : T`."""

    def parse(p: Parser) -> Op:
        place = p.operand()
        attributes: dict[str, Attribute] = {"sharding": OpaqueAttr(SHARDING + p.bracketed())}
        if p.token == "{":
            p.declared_attributes(cls, attributes)
        p.expect(":")
        t = p.type()
        return cls.build([p.resolve(place, t)], [t], attributes)

    def write(p: Printer, op: ShardingConstraintOp | ReshardOp) -> None:
        short = _short(op.sharding, SHARDING)
        if short is None:
            return
        p.write(f" {p.value_name(op.operand)} {short}")
        _print_attributes(p, op, ("sharding",))
        p.write(f" : {op.operand.type}")

    register_assembly(cls, parse, write)


def _parse_barrier(p: Parser) -> Op:
    """`%x allowed_direction=BACKWARD : T`."""
    place = p.operand()
    p.expect_all("allowed_direction", "=")
    direction = list(Direction).index(p.enum_value(Direction))
    attributes: dict[str, Attribute] = {"allowed_direction": direction}
    if p.token == "{":
        p.declared_attributes(PropagationBarrierOp, attributes)
    p.expect(":")
    t = p.type()
    return PropagationBarrierOp.build([p.resolve(place, t)], [t], attributes)


def _print_barrier(p: Printer, op: PropagationBarrierOp) -> None:
    p.write(f" {p.value_name(op.operand)} allowed_direction={op.direction.value}")
    _print_attributes(p, op, ("allowed_direction",))
    p.write(f" : {op.operand.type}")


def _parse_body(
    p: Parser,
    cls: type[ManualComputationOp] | type[NamedComputationOp],
    places: list[int],
    attributes: dict[str, Attribute],
) -> Op:
    """`(%arg: T, …) { … } {attributes} : types`."""
    region = p.region(p.typed_arguments())
    if p.token == "{":
        p.declared_attributes(cls, attributes)
    p.expect(":")
    inputs, results = p.function_types()
    operands: list[Value] = p.resolve_all(places, inputs)
    return cls.build(operands, results, attributes, (region,))


def _print_body(p: Printer, op: ManualComputationOp | NamedComputationOp, named: tuple[str, ...]) -> None:
    with p.scope():
        args = op.body.block.args
        names = p.define_arguments(args)
        typed = [f"{n}: {a.type}{p.location_suffix(a.location)}" for n, a in zip(names, args, strict=True)]
        p.write(f" ({', '.join(typed)}) ")
        p.region_body(op.body, named_args=True)
    _print_attributes(p, op, named)
    p.write(f" : {FunctionType(tuple(v.type for v in op.operands), op.result_types)}")


def _parse_manual(p: Parser) -> Op:
    """`(%x) in_shardings=[<@mesh, [{"x"}]>] out_shardings=[…] manual_axes={"x"} (%arg: T) { … } : …`."""
    places = p.operands_in_parentheses()
    attributes: dict[str, Attribute] = {}
    for name in ("in_shardings", "out_shardings"):
        p.expect_all(name, "=")
        attributes[name] = OpaqueAttr(f"{SHARDINGS}<{p.bracketed()}>")
    p.expect_all("manual_axes", "=")
    attributes["manual_axes"] = OpaqueAttr(f"#sdy<manual_axes{p.bracketed()}>")
    return _parse_body(p, ManualComputationOp, places, attributes)


def _print_manual(p: Printer, op: ManualComputationOp) -> None:
    shardings = [_short(v, SHARDINGS) for v in (op.in_shardings, op.out_shardings)]
    axes = _short(op.manual_axes, "#sdy<manual_axes")
    if axes is None or shardings[0] is None or shardings[1] is None:
        return
    p.write(f"({', '.join(map(p.value_name, op.inputs))})")
    p.write(f" in_shardings={shardings[0][1:-1]} out_shardings={shardings[1][1:-1]} manual_axes={axes[:-1]}")
    _print_body(p, op, ("in_shardings", "out_shardings", "manual_axes"))


def _parse_named(p: Parser) -> Op:
    """`<"name">(%x) in_shardings=[…] out_shardings=[…] (%arg: T) { … } : …`."""
    p.expect("<")
    attributes: dict[str, Attribute] = {"name": p.string()}
    p.expect(">")
    places = p.operands_in_parentheses()
    for name in ("in_shardings", "out_shardings"):
        if p.accept(name):
            p.expect("=")
            attributes[name] = OpaqueAttr(f"{SHARDINGS}<{p.bracketed()}>")
    return _parse_body(p, NamedComputationOp, places, attributes)


def _print_named(p: Printer, op: NamedComputationOp) -> None:
    p.write(f"<{p.attribute_text(op.label)}>({', '.join(map(p.value_name, op.inputs))})")
    for name, value in (("in_shardings", op.in_shardings), ("out_shardings", op.out_shardings)):
        short = _short(value, SHARDINGS)
        if short is not None:
            p.write(f" {name}={short[1:-1]}")
    _print_body(p, op, ("name", "in_shardings", "out_shardings"))


register_assembly(MeshOp, _parse_mesh, _print_mesh)
_sharded(ShardingConstraintOp)
_sharded(ReshardOp)
register_assembly(PropagationBarrierOp, _parse_barrier, _print_barrier)
register_format(ShardingGroupOp, "$operand `group_id` `=` $group_id attr-dict `:` type($operand)")
register_assembly(ManualComputationOp, _parse_manual, _print_manual)
register_assembly(NamedComputationOp, _parse_named, _print_named)
register_value_list(ReturnOp)
