"""The general strategy: any dispatch of linalg.generic and data movement, as fused loops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.bufferize import bufferize
from tesselle.codegen.common.collapse import collapse_dims
from tesselle.codegen.common.configure import Config, configure
from tesselle.codegen.common.fusion import fuse_elementwise, inline_oversized, is_inlinable, widen_accumulators
from tesselle.codegen.common.grid import Grid
from tesselle.codegen.common.loop_classes import LoopClasses, analyse
from tesselle.codegen.common.memory import root_of
from tesselle.codegen.common.prepare import prepare
from tesselle.codegen.common.sizes import name_sizes
from tesselle.codegen.common.strategy import KernelFunction, Phase, Plan, TargetShape
from tesselle.codegen.common.tiling import Tiles, fuse, tile, workgroup_count
from tesselle.codegen.common.vectorize import vectorize
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp, ToTensorOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import GenericOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.rewrite import eliminate_common_subexpressions, eliminate_dead_code

ROW_LIMIT_BYTES = 256 * 1024
"""An elementwise intermediate with longer rows is computed again where it is read."""


@dataclass
class GeneralPlan:
    """Holds what one phase tells the next."""

    kernel: KernelFunction
    target: TargetShape
    tiles: Tiles | None = None
    grid: Grid | None = None

    def phases(self) -> Sequence[Phase]:
        return (
            ("prepare", self.prepare),
            ("tile", self.tile),
            ("fuse", self.fuse),
            ("bufferize", lambda: bufferize(self.kernel)),
            ("vectorize", lambda: vectorize(self.kernel, self.target)),
        )

    def prepare(self) -> None:
        """To generics between buffers, with elementwise chains fused, loops collapsed, and tile sizes chosen."""
        prepare(self.kernel)
        widen_accumulators(self.kernel)
        fuse_elementwise(self.kernel)
        collapse_dims(self.kernel)
        inline_oversized(self.kernel, oversized(self.kernel))
        # Now, for what the analysis finds are values of this function, which must stay.
        eliminate_common_subexpressions(self.kernel.function)
        eliminate_dead_code(self.kernel.function)
        classes, config = self._analyse()
        self.tiles = Tiles(classes, config)
        self.grid = g = Grid(self.kernel)
        sizes = {c: g.size(classes.size[c]) for c in classes.tileable}
        g.finish(*workgroup_count(classes, config, g.builder, sizes))
        self.kernel.function.attributes["workgroup_tiles"] = tuple(config.workgroup.values())
        self.kernel.function.attributes["inner_tiles"] = tuple(config.inner.values())

    def _analyse(self) -> tuple[LoopClasses, Config]:
        entry = self.kernel.function.entry
        first = next((op for op in entry if isinstance(op, GenericOp)), entry.terminator)
        classes = analyse(self.kernel, Builder.before_op(first))
        return classes, configure(classes, self.target)

    def tile(self) -> None:
        assert self.tiles is not None
        tile(self.kernel, self.tiles)

    def fuse(self) -> None:
        assert self.tiles is not None
        fuse(self.kernel, self.tiles)
        name_sizes(self.kernel)
        eliminate_common_subexpressions(self.kernel.function)
        eliminate_dead_code(self.kernel.function)

    def explain(self) -> str:
        assert self.tiles is not None
        config, operations = self.tiles.config, len(self.tiles.classes.ops)
        return (
            f"{'one loop nest' if operations == 1 else f'{operations} loop nests, tiled together'};"
            f" {tiles_in_words(config.workgroup.values(), config.inner.values())}"
        )

    def workgroup_count(self, b: Builder, push_constants: Sequence[Value]) -> tuple[Value, Value, Value]:
        assert self.grid is not None
        return self.grid.build(b, push_constants)


def tiles_in_words(workgroup: Iterable[int], inner: Iterable[int]) -> str:
    """`workgroups of 16x512, 4x512 at a time so that they stay in the L1 cache`."""
    whole, part = ("x".join(map(str, t)) for t in (tuple(workgroup), tuple(inner)))
    if not whole:
        return "one workgroup, as no loop can be cut"
    return f"workgroups of {whole}" + (f", {part} at a time to stay in the L1 cache" if part != whole else "")


def oversized(kernel: KernelFunction) -> list[GenericOp]:
    """Elementwise intermediates whose rows are too long, or of unknown length, for local memory."""
    entry = kernel.function.entry
    first = next((op for op in entry if isinstance(op, GenericOp)), None)
    if first is None:
        return []
    classes = analyse(kernel, Builder.before_op(first))
    found: list[GenericOp] = []
    hosts: set[GenericOp] = set()
    for op in classes.ops:
        if not is_inlinable(op):
            continue
        row = tensor_type(op.result).dtype.size_bytes
        for d in op.parallel_dims:
            cls = classes.of[op, d]
            if cls not in classes.tileable:
                size = ix.known(classes.size[cls])
                row = ROW_LIMIT_BYTES + 1 if size is None else row * size
        if row > ROW_LIMIT_BYTES:
            host = _output_that_holds(kernel, op)
            if host is None or host in hosts:
                found.append(op)
            else:
                hosts.add(host)
    return found


def _output_that_holds(kernel: KernelFunction, op: GenericOp) -> GenericOp | None:
    """The last reader of the result, when bufferization can put the result where that writes (it takes one)."""
    order = {o: i for i, o in enumerate(kernel.function.entry)}
    last = max((u for u in op.result.users if isinstance(u, GenericOp)), key=order.__getitem__)
    if not last.is_elementwise or len(last.results) != 1 or last.result.type != op.result.type:
        return None
    if last.body.block.args[-1].uses or any(
        last.indexing_maps[i] != last.output_maps[0] for u, i in op.result.uses if u is last
    ):
        return None
    places = [u.dest for u in last.result.users if isinstance(u, MaterializeInDestinationOp)]
    read = {root_of(v.buffer) for v in kernel.function.entry if isinstance(v, ToTensorOp) and v.result.uses}
    return last if places and root_of(places[0]) not in read else None


@dataclass(frozen=True)
class GeneralStrategy:
    """Takes every dispatch."""

    name: str = "loops"

    def match(self, kernel: KernelFunction, target: TargetShape) -> Plan | None:
        return GeneralPlan(kernel, target)
