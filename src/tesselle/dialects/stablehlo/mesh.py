"""Meshes of devices, and groups of processes that are said by the axes of a mesh."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from tesselle.ir.attributes import DenseElements, DialectAttr
from tesselle.ir.text.elements import elements_text
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import I64


@dataclass(frozen=True, slots=True)
class MeshAxis(DialectAttr):
    name: str
    size: int

    def body(self) -> str:
        return f'<name = "{self.name}", size = {self.size}>'

    def __str__(self) -> str:
        return f"#stablehlo.mesh_axis{self.body()}"


@dataclass(frozen=True, slots=True)
class Mesh(DialectAttr):
    """Devices in a grid: the last axis runs fastest through `device_ids` (None: 0, 1, …)."""

    axes: tuple[MeshAxis, ...]
    device_ids: DenseElements | None = None

    def __str__(self) -> str:
        ids = self.device_ids
        axes = ", ".join(a.body() for a in self.axes)
        shown = "" if ids is None else f", device_ids={elements_text(ids)} : {ids.type}"
        return f"#stablehlo.mesh<axes=[{axes}]{shown}>"


@dataclass(frozen=True, slots=True)
class SubAxisInfo(DialectAttr):
    """`size` steps of an axis, between the outer `pre_size` and what is left."""

    pre_size: int
    size: int

    def __str__(self) -> str:
        return f"#stablehlo.sub_axis_info<{self.body()}>"

    def body(self) -> str:
        return f"({self.pre_size}){self.size}"


@dataclass(frozen=True, slots=True)
class AxisRef(DialectAttr):
    """An axis of a mesh, or a part of one."""

    name: str
    sub_axis_info: SubAxisInfo | None = None

    def __str__(self) -> str:
        part = "" if self.sub_axis_info is None else f", sub_axis_info = {self.sub_axis_info.body()}"
        return f'#stablehlo.axis_ref<name = "{self.name}"{part}>'


def group_table(mesh: Mesh, axes: tuple[AxisRef, ...]) -> DenseElements:
    """`#stablehlo.replica_group_mesh_axes<mesh = …, axes = […]>` as the table that it stands for: a row for every place
    along the other axes of the mesh, in which the first of `axes` is outermost.

    Errors: ValueError, for axes that the mesh does not have, parts that do not divide them, or overlap.
    """
    sizes = {a.name: a.size for a in mesh.axes}
    if len(sizes) != len(mesh.axes) or any(n <= 0 for n in sizes.values()):
        raise ValueError("the axes of a mesh need names of their own and positive sizes")
    spans: list[tuple[str, int, int]] = []
    for ref in axes:
        if ref.name not in sizes:
            raise ValueError(f'the mesh has no axis "{ref.name}"')
        part = ref.sub_axis_info
        spans.append((ref.name, 1, sizes[ref.name]) if part is None else (ref.name, part.pre_size, part.size))
    # Every axis in the pieces between the ends of its parts.
    pieces: list[tuple[str, int]] = []
    shape: list[int] = []
    for name, size in sizes.items():
        ends = sorted({1, size} | {e for n, pre, part in spans if n == name for e in (pre, pre * part)})
        if any(a < 1 or b % a for a, b in itertools.pairwise(ends)) or ends[-1] != size:
            raise ValueError(f'the parts of axis "{name}" do not divide its size {size}')
        for a, b in itertools.pairwise(ends):
            pieces.append((name, a))
            shape.append(b // a)
    chosen: list[int] = []
    for name, pre, part in spans:
        inside = [i for i, (n, a) in enumerate(pieces) if n == name and pre <= a < pre * part]
        if set(inside) & set(chosen):
            raise ValueError(f'axis "{name}" is named twice')
        chosen += inside
    count = math.prod(sizes.values())
    ids = np.arange(count) if mesh.device_ids is None else np.asarray(mesh.device_ids.array, np.int64).reshape(-1)
    if ids.size != count:
        raise ValueError(f"a mesh of {count} places has {ids.size} device ids")
    rest = [i for i in range(len(shape)) if i not in chosen]
    width = math.prod(shape[i] for i in chosen)
    table = ids.reshape(shape).transpose([*rest, *chosen]).reshape(-1, width).astype(np.int64)
    return DenseElements(table, TensorType(table.shape, I64))


NAMED_MESH = "groups over a mesh that a symbol names are not supported"
