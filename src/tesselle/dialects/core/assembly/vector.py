"""Text of `vector`, close to MLIR's."""

from __future__ import annotations

from tesselle.dialects.core import vector
from tesselle.ir.text.format import register_format

_AT = "$memref `[` $indices:index `]`"

register_format(vector.LoadOp, f"{_AT} attr-dict `:` type($memref) `,` type(results)")
register_format(vector.StoreOp, f"$value `,` {_AT} attr-dict `:` type($memref) `,` type($value)")
register_format(
    vector.MaskedLoadOp,
    f"{_AT} `,` $mask `,` $pass_through attr-dict `:` type($memref) `,` type($mask) `,` type($pass_through)",
)
register_format(
    vector.MaskedStoreOp,
    f"{_AT} `,` $mask `,` $value attr-dict `:` type($memref) `,` type($mask) `,` type($value)",
)
register_format(
    vector.GatherOp,
    "$memref `,` $linear `,` $mask `,` $pass_through attr-dict `:`"
    " type($memref) `,` type($linear) `,` type($mask) `,` type($pass_through)",
)
register_format(vector.BroadcastOp, "$source attr-dict `:` type($source) `to` type(results)")
register_format(vector.StepOp, "attr-dict `:` type(results)")
register_format(vector.CreateMaskOp, "$size:index attr-dict `:` type(results)")
register_format(vector.FmaOp, "$a `,` $b `,` $c attr-dict `:` type($a,$b,$c)")
register_format(vector.ReductionOp, "`<` $kind `>` `,` operands attr-dict `:` functional-type")
register_format(vector.ExtractOp, "$vector $position attr-dict `:` type($vector)")
register_format(vector.InsertOp, "$value `,` $dest $position attr-dict `:` type($value) `into` type($dest)")
register_format(vector.ShuffleOp, "$a `,` $b $lanes attr-dict `:` type($a) `,` type($b)")
