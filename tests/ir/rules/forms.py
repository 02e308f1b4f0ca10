"""How the cases are written: operations in their generic form on the arguments of one function."""

from __future__ import annotations

from tests.ir.rules import quantized_types

ARGUMENTS = {
    "a": "tensor<2x3xf32>",
    "t": "tensor<3x2xf32>",
    "n": "tensor<2x3xi32>",
    "u": "tensor<2x3xui32>",
    "h": "tensor<2x3xf16>",
    "c": "tensor<2x3xcomplex<f32>>",
    "p": "tensor<2x3xi1>",
    "pt": "tensor<3x2xi1>",
    "p0": "tensor<i1>",
    "s": "tensor<f32>",
    "sh": "tensor<f16>",
    "i": "tensor<i32>",
    "j": "tensor<i64>",
    "v": "tensor<3xf32>",
    "w": "tensor<4xf32>",
    "vh": "tensor<3xf16>",
    "x2": "tensor<2xindex>",
    "x3": "tensor<3xindex>",
    "x22": "tensor<2x2xindex>",
    "m": "tensor<4x4xf32>",
    "img": "tensor<2x8x8x6xf32>",
    "ker": "tensor<3x3x6x4xf32>",
    "ker2": "tensor<3x3x2x4xf32>",
    "idx": "tensor<5x1xi32>",
    "idx2": "tensor<2x5x1xi32>",
    "up": "tensor<5x4xf32>",
    "bat": "tensor<2x4x4xf32>",
    "bid": "tensor<3x5x1xi32>",
    "tok": "!stablehlo.token",
    "st": "tensor<2xui64>",
    "st5": "tensor<5xui64>",
    "fut": "!stablehlo.future<tensor<f32>>",
    "tup": "tuple<tensor<f32>>",
    "cm": "tensor<2x5xcomplex<f32>>",
    "dyn": "tensor<?x3xf32>",
    "nt": "tensor<3x2xi32>",
    "i3": "tensor<3xi32>",
    **quantized_types.ARGUMENTS,
}

NEGATIVE = "tensor<2xi64>"
"""The type of %neg, a constant: rules about values are checked where these are known."""


def generic(
    name: str, operands: str, attributes: str = "", results: str = "", regions: str = "", dialect: str = "stablehlo"
) -> str:
    """The generic form of an operation on the arguments above; `results` are type names or types."""
    names = operands.split()
    types = ", ".join(NEGATIVE if n == "neg" else ARGUMENTS[n] for n in names)
    out = ", ".join(ARGUMENTS.get(r, r) for r in results.split())
    count = len(results.split())
    left = f"%r:{count} = " if count else ""
    props = f" <{{{attributes}}}>" if attributes else ""
    body = f" ({regions})" if regions else ""
    shown = ", ".join(f"%{n}" for n in names)
    return f'{left}"{dialect}.{name}"({shown}){props}{body} : ({types}) -> ({out})'


def region(args: str, returned: str, result: str = "f32") -> str:
    """A region that takes scalars `args` (element types) and returns the value `returned`."""
    block = ", ".join(f"%q{i}: tensor<{t}>" for i, t in enumerate(args.split()))
    head = f"^bb0({block}):" if block else ""
    values = returned.split()
    types = ", ".join(f"tensor<{result}>" for _ in values)
    shown = ", ".join(f"%{v}" for v in values)
    return f'{{ {head} "stablehlo.return"({shown}) : ({types}) -> () }}'


ADD = region("f32 f32", "q0")
PREDICATE = region("f32 f32", "p0", "i1")
DOT = "dot_dimension_numbers = #stablehlo.dot<{}>"
WINDOW = "window_dimensions = array<i64: 1, 2>"


def conv(
    numbers: str = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]",
    groups: int = 1,
    batch_groups: int = 1,
    more: str = "",
    operands: str = "img ker",
    result: str = "tensor<2x6x6x4xf32>",
) -> str:
    attributes = (
        f"dimension_numbers = #stablehlo.conv<{numbers}>, feature_group_count = {groups} : i64,"
        f" batch_group_count = {batch_groups} : i64{', ' if more else ''}{more}"
    )
    return generic("convolution", operands, attributes, result)


def gather(numbers: str, sizes: str = "1, 4", operands: str = "m idx", result: str = "tensor<5x4xf32>") -> str:
    attributes = f"dimension_numbers = #stablehlo.gather<{numbers}>, slice_sizes = array<i64: {sizes}>"
    return generic("gather", operands, attributes, result)


def scatter(numbers: str, operands: str = "m idx up", body: str = ADD, result: str = "m") -> str:
    return generic("scatter", operands, f"scatter_dimension_numbers = #stablehlo.scatter<{numbers}>", result, body)


ROWS = "update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1"


def module_of(line: str) -> str:
    """The text of a module with a function whose third line is `line`."""
    args = ", ".join(f"%{n}: {t}" for n, t in ARGUMENTS.items())
    constant = f"%neg = stablehlo.constant dense<-1> : {NEGATIVE}"
    callee = "func.func private @callee(tensor<f32>) -> tensor<f32>"
    return f"{callee}\nfunc.func @main({args}) {{ {constant}\n  {line}\n  return\n}}\n"
