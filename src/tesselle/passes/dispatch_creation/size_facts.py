"""Which sizes are the same number: because their expressions are, or because the program fails where they are not."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from tesselle.dialects.core import arith
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.affine import AffineDim, AffineMap
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.types import TensorType
from tesselle.passes.dispatch_creation.shapes import Shapes
from tesselle.passes.index_arithmetic import Size, fold


def reads_of(op: linalg.GenericOp | linalg.ContractOp) -> Iterator[tuple[int, Value, AffineMap]]:
    """Tensor operands with their positions and maps, outputs first: they say how large the loops are."""
    maps = op.indexing_maps
    first = len(maps) - len(op.results)
    for i in (*range(first, len(maps)), *range(first)):
        if isinstance(op.operands[i].type, TensorType):
            yield i, op.operands[i], maps[i]


def equal_sizes(op: Op, shapes: Shapes) -> Iterator[tuple[int, int, Size, Size]]:
    """(operand, dimension, its size, the size of the loop over it) of a loop nest: the last two must be equal."""
    if not isinstance(op, linalg.GenericOp | linalg.ContractOp):
        return
    if all(tensor_type(v).is_static for _, v, _ in reads_of(op)):
        return
    loops: dict[int, Size] = {}
    for i, value, m in reads_of(op):
        for axis, (e, size) in enumerate(zip(m.results, shapes.of(value), strict=True)):
            if isinstance(e, AffineDim):
                yield i, axis, size, loops.setdefault(e.position, size)


class SizeFacts:
    """Classes of sizes that are equal: union-find over expressions, whose operands are classes themselves.

    Knows no arithmetic: n + 1 and 1 + n are different expressions. What it says is right, what it does not say open.
    """

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def _find(self, key: Hashable) -> Hashable:
        while key in self._parent:
            key = self._parent[key]
        return key

    def _key(self, size: Size) -> Hashable:
        size = fold(size)
        if isinstance(size, int):
            return size
        op = size.defining_op
        if op is None or op.regions or PURE not in op.TRAITS or len(op.results) != 1:
            return self._find(size)
        attributes = tuple(sorted((name, str(value)) for name, value in op.attributes.items()))
        return self._find((type(op), attributes, str(size.type), *map(self._key, op.operands)))

    def same(self, a: Size, b: Size) -> bool:
        """Whether two sizes are known to be equal."""
        return self._key(a) == self._key(b)

    def learn(self, a: Size, b: Size) -> None:
        """Two sizes are equal."""
        x, y = self._key(a), self._key(b)
        if x == y or (isinstance(x, int) and isinstance(y, int)):
            return  # different constants: the program fails there
        if isinstance(x, int):
            x, y = y, x
        self._parent[x] = y

    def learn_from(self, ops: Iterable[Op], shapes: Shapes) -> None:
        """What holds behind `ops`, which all run: assertions, and loop nests, of which check-shapes makes them."""
        for op in ops:
            if isinstance(op, flow.AssertOp):
                compared = op.condition.defining_op
                if isinstance(compared, arith.CmpIOp) and compared.predicate is arith.CmpIPredicate.EQ:
                    self.learn(compared.lhs, compared.rhs)
            for _, _, size, expected in equal_sizes(op, shapes):
                self.learn(size, expected)
