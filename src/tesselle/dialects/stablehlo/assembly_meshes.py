"""Readers of the attributes about meshes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tesselle.dialects.stablehlo.mesh import NAMED_MESH, AxisRef, Mesh, MeshAxis, SubAxisInfo, group_table
from tesselle.ir.attributes import DenseElements, SymbolRef
from tesselle.ir.text.parser import Parser
from tesselle.ir.text.registry import ATTRIBUTE_PARSERS
from tesselle.support.diagnostics import Unsupported

T = TypeVar("T")


def _list(p: Parser, read: Callable[[Parser], T]) -> tuple[T, ...]:
    p.expect("[")
    found: list[T] = []
    while not p.accept("]"):
        if found:
            p.expect(",")
        found.append(read(p))
    return tuple(found)


def _mesh_axis(p: Parser) -> MeshAxis:
    """`<name = "x", size = 2>`."""
    p.expect_all("<", "name", "=")
    name = p.string()
    p.expect_all(",", "size", "=")
    size = p.integer()
    p.expect(">")
    return MeshAxis(name, size)


def _mesh(p: Parser) -> Mesh:
    """`<axes=[<name = "x", size = 2>], device_ids=dense<[1, 0]> : tensor<2xi64>>`; without ids: 0, 1, …"""
    p.expect_all("<", "axes", "=")
    axes = _list(p, _mesh_axis)
    ids: Any = None
    if p.accept(","):
        p.expect_all("device_ids", "=")
        at = p.pos
        ids = p.any_attribute()
        if not isinstance(ids, DenseElements):
            p.unexpected("the ids of devices", at)
    p.expect(">")
    return Mesh(axes, ids)


def _sub_axis(p: Parser) -> SubAxisInfo:
    """`(1)2`."""
    p.expect("(")
    before = p.integer()
    p.expect(")")
    return SubAxisInfo(before, p.integer())


def _bare_sub_axis(p: Parser) -> SubAxisInfo:
    p.expect("<")
    found = _sub_axis(p)
    p.expect(">")
    return found


def _axis_ref(p: Parser) -> AxisRef:
    """`<name = "x", sub_axis_info = (1)2>`."""
    p.expect_all("<", "name", "=")
    name = p.string()
    part = None
    if p.accept(","):
        p.expect_all("sub_axis_info", "=")
        part = _sub_axis(p)
    p.expect(">")
    return AxisRef(name, part)


def _axis(p: Parser) -> AxisRef:
    at = p.pos
    found = p.any_attribute()
    if not isinstance(found, AxisRef):
        p.unexpected("an axis", at)
    return found


def _groups(p: Parser) -> DenseElements:
    """`<mesh = …, axes = […]>`."""
    start = p.pos
    p.expect_all("<", "mesh", "=")
    at = p.pos
    mesh = p.any_attribute()
    if isinstance(mesh, SymbolRef):
        raise Unsupported(NAMED_MESH, p.place(at), "attribute")
    if not isinstance(mesh, Mesh):
        p.unexpected("a mesh", at)
    p.expect_all(",", "axes", "=")
    axes = _list(p, _axis)
    p.expect(">")
    try:
        return group_table(mesh, axes)
    except ValueError as error:
        p.fail(str(error), start)


ATTRIBUTE_PARSERS.update(
    {
        "stablehlo.axis_ref": _axis_ref,
        "stablehlo.mesh": _mesh,
        "stablehlo.mesh_axis": _mesh_axis,
        "stablehlo.replica_group_mesh_axes": _groups,
        "stablehlo.sub_axis_info": _bare_sub_axis,
    }
)
