"""The strategy for convolutions: linalg.conv and its packed form, with an elementwise epilogue.

A convolution is a contraction whose rows are output pixels and whose reduction runs over the window and the channels:

    out[(n, x…), f] = sum over (w…, c) of input[n, x·stride + w·dilation, c] * filter[(w…, c), f]

so that the input is read in place, through strides (`stride` along pixels, `dilation` along the window), and nothing
like im2col is ever stored. Groups are batches. Depthwise convolutions (one channel in, one out per group) have channels
for columns and multiply element by element. Everything else is as for matrix products (see contraction).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.codegen.common.contraction import float_types, plan_of
from tesselle.codegen.common.contraction_layout import Extent, Operand
from tesselle.codegen.common.contraction_problem import PackedRhs, Root, Sources, SplitLoop, binding_of
from tesselle.codegen.common.strategy import KernelFunction, Plan, TargetShape
from tesselle.dialects.core import bufferization, tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import ConvOp, GenericOp
from tesselle.dialects.linalg.packed import PackedConvOp
from tesselle.ir.core import Value


@dataclass(frozen=True)
class ConvolutionStrategy:
    """linalg.conv and linalg.packed_conv on floats; any number of spatial dimensions, strides, dilations, groups."""

    name: str = "convolution"

    def match(self, kernel: KernelFunction, target: TargetShape) -> Plan | None:
        roots = [op for op in kernel.function.entry if isinstance(op, ConvOp | PackedConvOp)]
        if len(roots) != 1:
            return None
        root = conv_root(kernel, roots[0])
        return None if root is None else plan_of(kernel, root, roots[0].output, target)


@dataclass(frozen=True)
class ConvLoops:
    """Numbers of the loops of a convolution with `rank` spatial dimensions."""

    rank: int

    @property
    def image(self) -> int:
        return 0

    @property
    def pixels(self) -> tuple[int, ...]:
        return tuple(range(1, self.rank + 1))

    @property
    def window(self) -> tuple[int, ...]:
        return tuple(range(self.rank + 1, 2 * self.rank + 1))

    @property
    def channel(self) -> int:
        return 2 * self.rank + 1

    @property
    def group(self) -> int:
        return 2 * self.rank + 2

    @property
    def feature(self) -> int:
        """The feature within its group."""
        return 2 * self.rank + 3

    @property
    def all_features(self) -> int:
        """Group and feature together, as the result's last dimension has them."""
        return 2 * self.rank + 4


def conv_root(kernel: KernelFunction, op: ConvOp | PackedConvOp) -> Root | None:
    """The convolution as a contraction; None for element types or operands that this strategy does not take."""
    sources = Sources(kernel)
    dtype = float_types(op, op.input, op.filter)
    image, filter = binding_of(op.input), binding_of(op.filter)
    if dtype is None or image is None or filter is None:
        return None
    loops = ConvLoops(op.spatial_rank)
    rank, groups = loops.rank, op.groups
    in_sizes, in_strides = sources.dense(image)
    out_sizes = _out_sizes(sources, op)
    if isinstance(op, PackedConvOp):
        window, features = [Extent(w) for w in op.window], op.features
    else:
        window = sources.dense(filter)[0][:rank]
        features = tensor_type(op.filter).shape[-1]
    channels = in_sizes[-1].known
    if out_sizes is None or features is None or channels is None:
        return None
    per_group, in_group = features // groups, channels // groups
    sizes = {loops.image: out_sizes[0], loops.channel: Extent(in_group)}
    sizes |= dict(zip(loops.pixels, out_sizes[1:-1], strict=True)) | dict(zip(loops.window, window, strict=True))
    sizes |= {loops.group: Extent(groups), loops.feature: Extent(per_group), loops.all_features: Extent(features)}
    lhs = {loops.image: in_strides[0]}
    lhs |= {d: s * Extent(k) for d, s, k in zip(loops.pixels, in_strides[1:-1], op.strides, strict=True)}
    lhs |= {d: s * Extent(k) for d, s, k in zip(loops.window, in_strides[1:-1], op.dilations, strict=True)}
    lhs |= {loops.channel: Extent(1)}
    if groups > 1:
        lhs[loops.group] = Extent(in_group)
    input = Operand(image, tensor_type(op.input).dtype, lhs)
    rhs = _filter(sources, op, filter, loops, per_group)
    m, k = (loops.image, *loops.pixels), (*loops.window, loops.channel)
    out_loops = (loops.image, *loops.pixels, loops.all_features)
    if groups > 1 and per_group == 1 == in_group and isinstance(rhs, Operand):
        split = SplitLoop(loops.all_features, loops.group, loops.feature, 1)
        return Root(op, sizes, (), m, (loops.group,), k, input, rhs, out_loops, dtype, split)
    split = SplitLoop(loops.all_features, loops.group, loops.feature, per_group)
    return Root(op, sizes, (loops.group,), m, (loops.feature,), k, input, rhs, out_loops, dtype, split)


def _filter(
    sources: Sources, op: ConvOp | PackedConvOp, filter: Value, loops: ConvLoops, per_group: int
) -> Operand | PackedRhs:
    _, strides = sources.dense(filter)
    dtype = tensor_type(op.filter).dtype
    if isinstance(op, PackedConvOp):
        return PackedRhs(Operand(filter, dtype, {loops.group: strides[0]}), op.panel)
    along = dict(zip((*loops.window, loops.channel), strides[:-1], strict=True))
    return Operand(filter, dtype, {**along, loops.group: Extent(per_group), loops.feature: Extent(1)})


def _out_sizes(sources: Sources, op: ConvOp | PackedConvOp) -> Sequence[Extent] | None:
    """Sizes of the result: known ones from its type, others from the binding that it ends in."""
    t = tensor_type(op.result)
    if t.is_static:
        return [Extent(s) for s in t.static_shape]
    buffer = binding_of(op.output)
    return sources.dense(buffer)[0] if buffer is not None else _sizes_where_stored(sources, op.result)


def _sizes_where_stored(sources: Sources, value: Value) -> Sequence[Extent] | None:
    """Sizes of a tensor that is written to a binding, maybe after elementwise stages and inside of a border."""
    for user in value.users:
        if isinstance(user, bufferization.MaterializeInDestinationOp):
            return sources.dense(user.dest)[0]
        if isinstance(user, tensor.PadOp):
            found = _sizes_where_stored(sources, user.result)
            shape = tensor_type(value).shape  # what is padded has a known size
            return found and [size if s is None else Extent(s) for size, s in zip(found, shape, strict=True)]
        if isinstance(user, GenericOp) and user.is_elementwise:
            found = _sizes_where_stored(sources, user.results[0])
            read = user.indexing_maps[user.operands.index(value)].projected_dims()
            written = user.output_maps[0].projected_dims()
            if found is not None and read is not None and written is not None:
                return [found[written.index(d)] for d in read]
    return None
