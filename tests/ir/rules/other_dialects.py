"""Operations of CHLO, check and interpreter that break one rule each: pairs of the full rule's name and the text."""

from __future__ import annotations

from tests.ir.rules.forms import ADD, generic, region

from tesselle.dialects.chlo import broadcast, elementwise
from tesselle.dialects.stablehlo.base import FLOAT, FLOAT_OR_COMPLEX
from tesselle.dialects.stablehlo.elementwise import BinaryOp, UnaryOp


def _case(rule: str, operands: str, attributes: str = "", results: str = "", regions: str = "") -> tuple[str, str]:
    """`rule` is `dialect.operation.label`."""
    dialect, name, _ = rule.split(".")
    return (rule, generic(name, operands, attributes, results, regions, dialect=dialect))


def _broadcasts() -> list[tuple[str, str]]:
    """Every operation that broadcasts: operands that are no tensors, of two types, that do not fit, badly placed."""
    found: list[tuple[str, str]] = []
    for cls in vars(broadcast).values():
        if not (isinstance(cls, type) and issubclass(cls, broadcast.BroadcastingOp) and cls.NAME.startswith("chlo.")):
            continue
        # A type that the operation takes, in a matrix, another matrix and a row; and the matrix in another type.
        takes_floats = broadcast.FLOAT <= cls.KINDS
        matrix, other, row, foreign = ("a", "t", "v", "h") if takes_floats else ("n", "nt", "i3", "u")
        more = "comparison_direction = #chlo<comparison_direction EQ>" if cls is broadcast.BroadcastCompareOp else ""
        placed = ", ".join(filter(None, (more, "broadcast_dimensions = array<i64: 5>")))
        found += [
            _case(f"{cls.NAME}.I1", f"tok {matrix}", more, matrix),
            _case(f"{cls.NAME}.I2", f"{matrix} tok", more, matrix),
            _case(f"{cls.NAME}.C1", f"{matrix} {foreign}", more, matrix),
            _case(f"{cls.NAME}.C2", f"{matrix} {other}", more, matrix),
            _case(f"{cls.NAME}.C3", f"{row} {matrix}", placed, matrix),
        ]
    return found


def _elementwise() -> list[tuple[str, str]]:
    """Every other elementwise operation, on elements that it does not take."""
    found: list[tuple[str, str]] = []
    for cls in vars(elementwise).values():
        if not (isinstance(cls, type) and getattr(cls, "NAME", "").startswith("chlo.")):
            continue
        if cls is elementwise.ConstantLikeOp:
            continue
        wrong = "n" if cls.KINDS in (FLOAT, FLOAT_OR_COMPLEX) else "p"  # type: ignore[attr-defined] # unary operations have it
        if issubclass(cls, UnaryOp):
            found.append(_case(f"{cls.NAME}.I1", wrong, "", wrong))
        elif issubclass(cls, BinaryOp):
            right, other = ("a", "t") if wrong == "n" else ("n", "nt")
            found.append(_case(f"{cls.NAME}.I1", f"{wrong} {wrong}", "", wrong))
            found.append(_case(f"{cls.NAME}.I2", f"{right} {wrong}", "", right))
            found.append(_case(f"{cls.NAME}.C1", f"{right} {other}", "", right))
    return found


def _ragged(lists: str) -> str:
    return f"ragged_dot_dimension_numbers = #chlo.ragged_dot<{lists}>"


_RAGGED = "lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], "
_UNPAIRED = "lhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0]"
_GROUP = "rhs_group_dimensions = [0]"


def _segments(inputs: int, inits: int, dimension: int = 0) -> str:
    return f"dimension = {dimension} : i64, operandSegmentSizes = array<i32: {inputs}, {inits}>"


_STEP = region("f32 f32", "q0 q1")
_PROGRAMS = "programs = [[@callee]]"

_SHARDING = "sharding = #sdy.sharding<@mesh, [{}]>"
_SHARDINGS = "shardings = #sdy.sharding_per_value<[<@mesh, [{}]>]>"
_MANUAL = f"in_{_SHARDINGS}, out_{_SHARDINGS}, manual_axes = #sdy<manual_axes{{}}>"

CASES: list[tuple[str, str]] = [
    *_broadcasts(),
    *_elementwise(),
    _case("chlo.broadcast_complex.I1", "h h", "", "a"),
    _case("chlo.broadcast_select.I1", "a a a", "", "a"),
    _case("chlo.broadcast_select.I2", "p tok a", "", "a"),
    _case("chlo.broadcast_select.I3", "p a tok", "", "a"),
    _case("chlo.broadcast_select.C1", "p a h", "", "a"),
    _case("chlo.broadcast_select.C2", "p a t", "", "a"),
    _case("chlo.constant_like.I1", "tok", "value = 1.0 : f32", "s"),
    _case("chlo.constant_like.C1", "a", 'value = "one"', "a"),
    _case("chlo.top_k.I1", "c", "k = 1 : i64", "c n"),
    _case("chlo.top_k.C1", "s", "k = 1 : i64", "s i"),
    _case("chlo.top_k.C2", "a", "k = 4 : i64", "a n"),
    _case("chlo.top_k.C2", "a", "k = -1 : i64", "a n"),
    _case("chlo.ragged_dot.I1", "tok bat v", _ragged(_RAGGED + _GROUP), "m"),
    _case("chlo.ragged_dot.I2", "m tok v", _ragged(_RAGGED + _GROUP), "m"),
    _case("chlo.ragged_dot.I3", "m bat v", _ragged(_RAGGED + _GROUP), "m"),
    _case("chlo.ragged_dot.C1", "m bat x2", _ragged(_GROUP), "m"),
    _case("chlo.ragged_dot.C1", "m bat x2", _ragged(_RAGGED + "rhs_group_dimensions = [0, 2]"), "m"),
    _case("chlo.ragged_dot.C2", "m bat x2", _ragged(_UNPAIRED), "m"),
    _case("chlo.ragged_dot.C2", "m bat x2", _ragged(_RAGGED + "rhs_group_dimensions = [1]"), "m"),
    _case("chlo.ragged_dot.C2", "m bat x2", _ragged(_RAGGED + "rhs_group_dimensions = [3]"), "m"),
    _case("chlo.ragged_dot.C3", "m bat i", _ragged(_RAGGED + _GROUP), "m"),
    _case("chlo.ragged_dot.C3", "m bat x3", _ragged(_RAGGED + _GROUP), "m"),
    _case("chlo.scan.I1", "tok s", _segments(1, 1), "v s", _STEP),
    _case("chlo.scan.C1", "v s s", _segments(1, 2), "s", _STEP),
    _case("chlo.scan.C2", "v s", _segments(1, 1, dimension=1), "v s", _STEP),
    _case("chlo.scan.C3", "v s", _segments(1, 1), "v s", ADD),
    _case("check.expect_eq.C1", "a t"),
    _case("check.expect_almost_eq.C1", "a h"),
    _case("check.expect_close.C1", "a v"),
    _case("check.expect_eq_const.C1", "a", "value = dense<1.0> : tensor<3xf32>"),
    _case("check.expect_almost_eq_const.C1", "a", "value = dense<1> : tensor<2x3xi32>"),
    _case("check.eq.C1", "a", "value = dense<1.0> : tensor<3xf32>"),
    _case("check.almost_eq.C1", "a", "value = dense<1.0> : tensor<3xf32>"),
    *[_case(f"sdy.{name}.I1", "tok", _SHARDING, "tok") for name in ("sharding_constraint", "reshard")],
    _case("sdy.propagation_barrier.I1", "tok", "allowed_direction = 0 : i32", "tok"),
    _case("sdy.propagation_barrier.direction", "s", "allowed_direction = 4 : i32", "s"),
    _case("sdy.manual_computation.C1", "s", _MANUAL, "s", region("", "s")),
    _case("sdy.named_computation.C1", "s", 'name = "f"', "s", region("i32", "s")),
    _case("interpreter.print.I1", "tok", "", "tok"),
    _case("interpreter.probe.I1", "tok", 'probe_id = "p"', "tok"),
    _case("interpreter.run_parallel.C1", "s", "programs = [[@callee], []]", "s"),
    _case("interpreter.run_parallel.C2", "s", "programs = [[@nobody]]", "s"),
    _case("interpreter.run_parallel.C2", "s", f"{_PROGRAMS}, infeed = [@callee]", "s"),
    _case("interpreter.run_parallel.C3", "i", _PROGRAMS, "s"),
    _case("interpreter.run_parallel.C4", "s", _PROGRAMS, "i"),
]
