"""Operations that run while the program goes on: async_start, async_done."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.base import require_region
from tesselle.ir.core import Op, Region, Value
from tesselle.ir.declare import op, operand_def, region_def, result_type_def, result_types_def, variadic_def
from tesselle.ir.types import FutureType, Type, types_compatible


@op("stablehlo.async_start")
class AsyncStartOp(Op):
    """A future of body(inputs), whose computation may go on until `async_done` asks for it.

    Errors: C1 (body takes the inputs), C2 (the future holds what body returns). Source: StableHLO spec, async_start.
    """

    inputs: Sequence[Value] = variadic_def()
    body: Region = region_def()
    future: Type = result_type_def()

    def check(self) -> None:
        returned = require_region(self, self.body, [v.type for v in self.operands], None, "C1", "body")
        held = self.future.types if isinstance(self.future, FutureType) else ()
        ok = isinstance(self.future, FutureType) and len(held) == len(returned)
        if not ok or not all(map(types_compatible, returned, held)):
            self.fail("C2", f"expected a future of ({', '.join(map(str, returned))}), found {self.future}")


@op("stablehlo.async_done")
class AsyncDoneOp(Op):
    """What the operation that gave the future `operand` returned.

    Errors: I1 (no future), C1 (the results differ from what the future holds). Source: StableHLO spec, async_done.
    """

    operand: Value = operand_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        t = self.operand.type
        if not isinstance(t, FutureType):
            self.fail("I1", f"expected a future, found {t}")
        assert isinstance(t, FutureType)
        found = self.result_types
        if len(found) != len(t.types) or not all(map(types_compatible, t.types, found)):
            expected = ", ".join(map(str, t.types))
            self.fail("C1", f"the future holds ({expected}), the results are ({', '.join(map(str, found))})")
