"""Text of `memref`, close to MLIR's."""

from __future__ import annotations

from tesselle.dialects.core import memref
from tesselle.dialects.core.assembly.mixed import mixed_text, read_mixed
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import Op
from tesselle.ir.text.format import register_format
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.printer import Printer
from tesselle.ir.text.registry import ParseOp, register_assembly

register_format(memref.AllocaOp, "attr-dict `:` type(results)")
register_format(memref.LoadOp, "$memref `[` $indices:index `]` attr-dict `:` type($memref)")
register_format(
    memref.StoreOp, "$value `,` $memref `[` $indices:index `]` attr-dict `:` type($value) `,` type($memref)"
)
register_format(memref.DimOp, "$memref `,` $axis attr-dict `:` type($memref)")
register_format(memref.CopyOp, "$source `,` $dest attr-dict `:` type($source) `to` type($dest)")
register_format(memref.PrefetchOp, "$memref `[` $indices:index `]` attr-dict `:` type($memref)")

_STATIC = ("static_offsets", "static_sizes", "static_strides")


def _parse(cls: type[Op], keyword: str) -> ParseOp:
    def parse(p: Parser) -> Op:
        source = p.operand()
        if keyword:
            p.expect(keyword)
        static, dynamic = zip(*(read_mixed(p) for _ in range(3)), strict=True)
        attributes: dict[str, Attribute] = {}
        if p.token == "{":
            p.declared_attributes(cls, attributes)
        attributes |= dict(zip(_STATIC, static, strict=True))
        p.expect(":")
        operand = p.resolve(source, p.type())
        p.expect("to")
        operands = [operand, *(v for group in dynamic for v in group)]
        return cls.build(operands, (p.type(),), attributes, (), (), (1, *map(len, dynamic)))

    return parse


def _print(p: Printer, op: memref.SubViewOp | memref.ReinterpretCastOp) -> None:
    keyword = " to " if isinstance(op, memref.ReinterpretCastOp) else ""
    p.write(f" {p.value_name(op.memref)}{keyword}{mixed_text(p, op.static_offsets, op.offsets)}")
    p.write(f" {mixed_text(p, op.static_sizes, op.sizes)} {mixed_text(p, op.static_strides, op.strides)}")
    attributes = p.attribute_dict_text(op, _STATIC)
    p.write(f"{' ' if attributes else ''}{attributes} : {op.memref.type} to {op.result.type}")


register_assembly(memref.SubViewOp, _parse(memref.SubViewOp, ""), _print)
register_assembly(memref.ReinterpretCastOp, _parse(memref.ReinterpretCastOp, "to"), _print)
