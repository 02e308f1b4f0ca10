"""Tile and fuse: the loops of a dispatch are cut into tiles, and every operation moves into the loop over tiles.

    %1 = linalg.generic (max over n) %x : tensor<64x128xf32>        scf.for %i = … step 8 {
    %2 = linalg.generic (exp) %x, %1                          ->      %xi = to_tensor(subview %x[%i, 0] [8, 128])
    materialize %2, %out                                              %1 = linalg.generic %xi : tensor<8x128xf32>
                                                                      %2 = linalg.generic %xi, %1
                                                                      materialize %2, subview %out[%i, 0] [8, 128] }

`tile` moves the stored operations and leaves `tensor.extract_slice` of what they read from others; `fuse` moves the
others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tesselle.codegen.common import generics, memory
from tesselle.codegen.common import index_math as ix
from tesselle.codegen.common.configure import Config
from tesselle.codegen.common.loop_classes import LoopClasses
from tesselle.codegen.common.loops import for_loop
from tesselle.codegen.common.strategy import KernelFunction
from tesselle.dialects.core import arith, tensor
from tesselle.dialects.core.bufferization import MaterializeInDestinationOp, ToTensorOp
from tesselle.dialects.core.func import ReturnOp
from tesselle.dialects.core.memref import memref_type
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import GenericOp, IndexOp
from tesselle.ir.affine import AffineDim, AffineExpr, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.types import TensorType

Window = tuple[ix.Size, ix.Size]
"""(offset, size) along a loop."""


@dataclass
class Tiles:
    """Where the tiles are: for each tiled class, offset and size inside of the loops; filled by `tile`, used by
    `fuse`.
    """

    classes: LoopClasses
    config: Config
    windows: dict[int, Window] = field(default_factory=dict[int, Window])
    done: dict[GenericOp, GenericOp] = field(default_factory=dict[GenericOp, GenericOp])
    builder: Builder | None = None

    def window(self, op: GenericOp, loop: int, full: ix.Size) -> Window:
        return self.windows.get(self.classes.of[op, loop], (0, full))


def grid_classes(classes: LoopClasses) -> list[list[int]]:
    """Classes of the grid's x, y and z: x the innermost; z takes all that are left."""
    order = list(reversed(classes.tileable))
    return [order[:1], order[1:2], order[2:]]


def tile(kernel: KernelFunction, tiles: Tiles) -> None:
    """Build the loops over tiles and move the stored operations into them."""
    entry = kernel.function.entry
    position = {op: i for i, op in enumerate(entry)}
    stores = [op for op in entry if isinstance(op, MaterializeInDestinationOp)]
    stores.sort(key=lambda op: position[op.source.defining_op] if op.source.defining_op else 0)
    last = entry.terminator
    assert isinstance(last, ReturnOp)
    b = Builder.before_op(last)
    bounds = _workgroup_bounds(kernel, tiles, b)
    order = [c for c in tiles.classes.tileable if c in bounds]

    def loop(b: Builder, rest: Sequence[int]) -> None:
        if rest:
            cls = rest[0]
            lower, extent = bounds[cls]
            step = tiles.config.inner[cls]
            if tiles.config.workgroup[cls] <= step:
                tiles.windows[cls] = (lower, extent)
                loop(b, rest[1:])
                return
            upper = ix.add(b, lower, extent)

            def body(c: Builder, i: Value, _: list[Value]) -> Sequence[Value]:
                exact = ix.multiple(tiles.classes.size[cls]) % step == 0 == tiles.config.workgroup[cls] % step
                tiles.windows[cls] = (i, step if exact else ix.minimum(c, step, ix.sub(c, upper, i)))
                loop(c, rest[1:])
                return ()

            for_loop(b, lower, upper, step, (), body)
            return
        tiles.builder = b
        for store in stores:
            _tile_store(tiles, b, store)

    loop(b, order)


def _workgroup_bounds(kernel: KernelFunction, tiles: Tiles, b: Builder) -> dict[int, Window]:
    """The workgroup's window along each tiled class."""
    bounds: dict[int, Window] = {}
    for wid, group in zip(kernel.workgroup_ids, grid_classes(tiles.classes), strict=True):
        rest: ix.Size = wid
        for n, cls in enumerate(group):
            size, step = tiles.classes.size[cls], tiles.config.workgroup[cls]
            count = ix.ceildiv(b, size, step)
            if ix.known(count) == 1:
                bounds[cls] = (0, size)
                continue
            number = rest if n == len(group) - 1 else ix.remainder(b, rest, count)
            rest = ix.floordiv(b, rest, count) if n < len(group) - 1 else rest
            lower = ix.mul(b, number, step)
            if ix.multiple(size) % step == 0:
                bounds[cls] = (lower, step)
            else:
                bounds[cls] = (lower, ix.minimum(b, step, ix.sub(b, size, lower)))
    return bounds


def workgroup_count(classes: LoopClasses, config: Config, b: Builder, sizes: Mapping[int, ix.Size]) -> list[Value]:
    """The grid, from the sizes of the tiled classes; zero where an operation has no elements."""
    grid: list[Value] = []
    for group in grid_classes(classes):
        counts = [ix.ceildiv(b, sizes[cls], config.workgroup[cls]) for cls in group]
        grid.append(ix.as_value(b, ix.product(b, counts)))
    return grid


def _tile_store(tiles: Tiles, b: Builder, store: MaterializeInDestinationOp) -> None:
    op = store.source.defining_op
    assert isinstance(op, GenericOp)
    k = generics.result_index(store.source)
    tiled = tiled_clone(tiles, b, op)
    windows = _operand_windows(tiles, b, op, op.output_maps[k], _full_sizes(b, store.dest))
    offsets, sizes = [w[0] for w in windows], [w[1] for w in windows]
    b.insert(MaterializeInDestinationOp(tiled.results[k], memory.subview(b, store.dest, offsets, sizes)))
    store.erase()


def _full_sizes(b: Builder, buffer: Value) -> list[ix.Size]:
    return memory.sizes_of(b, buffer)


def tiled_clone(tiles: Tiles, b: Builder, op: GenericOp) -> GenericOp:
    """The operation on its tile, at `b`; made once. Operands from other operations are slices of their full results."""
    if op in tiles.done:
        return tiles.done[op]
    operands: list[Value] = []
    maps: list[AffineMap] = []
    for v, m in zip(op.operands, op.indexing_maps, strict=True):
        operand, map = _slice(tiles, b, op, v, m)
        operands.append(operand)
        maps.append(map)
    body = generics.clone_body(op)
    for inner in body.block:
        if isinstance(inner, IndexOp):
            offset, _ = tiles.window(op, inner.dim, 0)
            if ix.known(offset) != 0:
                at = Builder.after_op(inner)
                moved = at.insert(arith.AddIOp(inner.result, ix.as_value(b, offset)))
                inner.result.replace_uses_if(moved.result, lambda user, _, own=moved: user is not own)
    n = len(op.inputs)
    new = b.insert(generics.make_generic(operands[:n], operands[n:], maps, op.iterator_types, body))
    new.location = op.location
    tiles.done[op] = new
    return new


_OperandWindow = tuple[ix.Size, ix.Size, int, AffineExpr]
"""Of an operand dimension: offset, size, step, index expression within the window."""


def _forwards(b: Builder, window: _OperandWindow, index: AffineExpr, whole: ix.Size) -> _OperandWindow:
    """A window that runs backwards as one that runs forwards and is read backwards: slices of tensors have no sign."""
    offset, size, step, inner = window
    if step >= 0:
        return window
    count = ix.known(size)
    if count is None:
        assert ix.known(offset) is not None, "a tile of unknown size is read backwards"
        return (0, whole, 1, index)
    reach = (count - 1) * -step
    return (ix.sub(b, offset, reach), reach + 1, 1, inner * step + reach)


def _operand_windows(
    tiles: Tiles, b: Builder, op: GenericOp, m: AffineMap, full: Sequence[ix.Size]
) -> list[_OperandWindow]:
    windows: list[_OperandWindow] = []
    for e, whole in zip(m.results, full, strict=True):
        dims = sorted(e.used_dims())
        if not any(tiles.classes.of[op, d] in tiles.windows for d in dims):
            windows.append((0, whole, 1, e))
            continue
        if isinstance(e, AffineDim):
            offset, size = tiles.window(op, e.position, whole)
            windows.append((offset, size, 1, e))
            continue
        linear = e.linear_coefficients(m.dim_count)
        assert linear is not None
        coefficients, constant = linear
        offset: ix.Size = constant
        for d in dims:
            offset = ix.add(b, offset, ix.mul(b, tiles.window(op, d, 0)[0], coefficients[d]))
        if all(coefficients[d] > 0 for d in dims):
            size: ix.Size = 1
            inner: AffineExpr | None = None
            for d in dims:
                extent = tiles.window(op, d, _loop_size(tiles, op, d))[1]
                size = ix.add(b, size, ix.mul(b, ix.sub(b, extent, 1), coefficients[d]))
                term = AffineDim(d) * coefficients[d]
                inner = term if inner is None else inner + term
            assert inner is not None
            windows.append((offset, size, 1, inner))
        else:
            (d,) = dims
            extent = tiles.window(op, d, _loop_size(tiles, op, d))[1]
            windows.append((offset, extent, coefficients[d], AffineDim(d)))
    return windows


def _loop_size(tiles: Tiles, op: GenericOp, loop: int) -> ix.Size:
    return tiles.classes.size[tiles.classes.of[op, loop]]


def _slice(tiles: Tiles, b: Builder, op: GenericOp, v: Value, m: AffineMap) -> tuple[Value, AffineMap]:
    if not isinstance(v.type, TensorType):
        return v, m
    source = v.defining_op
    if isinstance(source, ToTensorOp):
        full = memory.sizes_of(b, source.buffer) if memref_type(source.buffer).rank else []
    else:
        full = _tensor_sizes(tiles, v)
    windows = _operand_windows(tiles, b, op, m, full)
    if isinstance(source, GenericOp):
        windows = [_forwards(b, w, e, whole) for w, e, whole in zip(windows, m.results, full, strict=True)]
    offsets, sizes = [w[0] for w in windows], [w[1] for w in windows]
    steps = [w[2] for w in windows]
    inner = AffineMap(m.dim_count, 0, tuple(w[3] for w in windows))
    if isinstance(source, tensor.EmptyOp):
        return generics.empty_like(b, v.type, [_static(s) for s in sizes]), inner
    if isinstance(source, ToTensorOp):
        return b.insert(ToTensorOp(memory.subview(b, source.buffer, offsets, sizes, steps))).result, inner
    sizes = [_static(s) for s in sizes]
    offsets = [_static(o) for o in offsets]
    return b.insert(tensor.ExtractSliceOp.of(v, offsets, sizes)).result, inner


def _static(value: ix.Size) -> ix.Size:
    k = ix.known(value)
    return value if k is None else k


def _tensor_sizes(tiles: Tiles, v: Value) -> list[ix.Size]:
    """Sizes of a computed tensor or an empty one, from its type and the classes of its producer's loops."""
    t = tensor_type(v)
    op = v.defining_op
    if isinstance(op, tensor.EmptyOp):
        return tensor.mixed(t.shape, op.dynamic_dims)
    assert isinstance(op, GenericOp)
    k = generics.result_index(v)
    sizes: list[ix.Size] = []
    for s, e in zip(t.shape, op.output_maps[k].results, strict=True):
        assert isinstance(e, AffineDim)
        sizes.append(s if s is not None else _loop_size(tiles, op, e.position))
    return sizes


def fuse(kernel: KernelFunction, tiles: Tiles) -> None:
    """Replace slices of full results by the operation on the tile, from the last operation to the first."""
    b = tiles.builder
    assert b is not None
    for source in reversed(tiles.classes.ops):
        pieces = [op for op in b.block if isinstance(op, tensor.ExtractSliceOp) and op.operand.defining_op is source]
        for piece in pieces:
            k = generics.result_index(piece.operand)
            tiled = tiled_clone(tiles, Builder.before_op(piece), source)
            piece.replace_with(_part(tiles, piece, source, k, tiled.results[k]))
    eliminate_dead_code(kernel.function)


def _part(tiles: Tiles, piece: tensor.ExtractSliceOp, source: GenericOp, k: int, tile: Value) -> Value:
    """What `piece` reads of the source's tile: all of it, or a slice where the source goes through all of a loop."""
    loops = source.output_maps[k].projected_dims()
    assert loops is not None
    offsets: list[ix.Size] = []
    sizes: list[ix.Size] = []
    whole = True
    for loop, offset, size in zip(loops, piece.mixed_offsets, piece.mixed_sizes, strict=True):
        tiled = tiles.classes.of[source, loop] in tiles.windows
        offsets.append(0 if tiled else offset)
        sizes.append(size)
        full = _loop_size(tiles, source, loop)
        same = size is full or ix.known(size) == ix.known(full) is not None
        whole = whole and (tiled or (ix.known(offset) == 0 and same))
    if whole:
        return tile
    return Builder.before_op(piece).insert(tensor.ExtractSliceOp.of(tile, offsets, sizes)).result
