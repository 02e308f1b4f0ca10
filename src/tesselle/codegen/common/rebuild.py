"""Sizes of a kernel computed again elsewhere: the grid is built on the host from its own push constants."""

from __future__ import annotations

from tesselle.codegen.common import index_math as ix
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.support.diagnostics import CompilerError


def rebuilt(b: Builder, size: ix.Size, own: dict[Value, Value]) -> ix.Size:
    """`size`, which a kernel computes from push constants, computed at `b`; `own` maps push constants and learns values.

    Errors: CompilerError when it depends on anything else, such as a loaded element.
    """
    if isinstance(size, int):
        return size
    if size not in own:
        op = size.defining_op
        if op is None or op.dialect != "arith":
            raise CompilerError(f"a grid depends on {op.name if op else 'a value that is no index push constant'}")
        for operand in op.operands:
            rebuilt(b, operand, own)
        index = next(i for i, r in enumerate(op.results) if r is size)
        own[size] = b.insert(op.clone(own)).results[index]
    return own[size]
