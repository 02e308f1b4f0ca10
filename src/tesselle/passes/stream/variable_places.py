"""Values that are made where the variable lies that will hold them: without memory of their own, without a copy."""

from __future__ import annotations

from tesselle.dialects.core import arith, func
from tesselle.dialects.stream import ops as stream
from tesselle.dialects.stream.types import ResourceType
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value
from tesselle.ir.types import TensorType
from tesselle.passes.input.create_initializer import INITIALIZER
from tesselle.passes.stream.copy_on_write import Roots, variable_of
from tesselle.support.dtypes import INDEX


class VariablePlaces:
    """Which values are made where the variables lie that will hold them."""

    def __init__(self, function: func.FuncOp, roots: Roots) -> None:
        self.function = function
        self.roots = roots
        self.order = {op: i for i, op in enumerate(function.walk())}
        self.imports = {variable_of(op): op.result for op in function.entry if isinstance(op, stream.TensorImportOp)}
        self.last_use: dict[Value, int] = {}
        stores = any(isinstance(op, stream.VariableStoreOp) for op in function.entry)
        for op, number in self.order.items() if stores else ():
            for v in op.operands:
                if isinstance(v.type, ResourceType):
                    # A view lasts: another variable may hold it afterwards.
                    last = len(self.order) if isinstance(op, stream.TensorExportOp) else number
                    self.last_use[self._whole(v)] = max(last, self.last_use.get(self._whole(v), 0))
        self.done: set[Op] = set()
        """Stores, and exports for them, of what will be there already."""

    def _whole(self, value: Value) -> Value:
        """The root of what the value is, or is a slice of."""
        root = self.roots.root(value)
        while isinstance(root.defining_op, stream.AsyncSliceOp):
            root = self.roots.root(root.defining_op.source)
        return root

    def find(self, export: stream.TensorExportOp, root: Value) -> Value | None:
        """Where the variable lies that is to hold `root`, when `root` may be made there.

        Variables of a new session lie nowhere yet, and those of unknown size get a place that has the new size.
        """
        store = next((u for u in export.result.users if isinstance(u, stream.VariableStoreOp)), None)
        maker = root.defining_op
        if store is None or maker is None or INITIALIZER in self.function.attributes or not export.tensor.is_static:
            return None
        if maker.parent is not self.function.entry or not self.roots.is_fresh(root) or self.roots.is_reference(root):
            return None
        place = self.imports.get(store.variable)
        if place is not None and self.last_use.get(place, -1) >= self.order[maker]:
            return None
        self.done |= {store, export}
        return self._import(store, export.tensor) if place is None else place

    def _import(self, store: stream.VariableStoreOp, t: TensorType) -> Value:
        b = Builder(self.function.entry, self.function.entry.first, store.location)
        size = b.insert(arith.ConstantOp(t.size_bytes, INDEX)).result
        view = b.insert(stream.VariableLoadOp(store.variable)).result
        return b.insert(stream.TensorImportOp(view, size, None, t)).result
