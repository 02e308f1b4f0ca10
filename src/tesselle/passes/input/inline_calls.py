"""inline-calls: replace every func.call and stablehlo.composite by the body of its function; drop private functions.

    func.func private @f(%x) { %0 = negate %x; return %0 }
    func.func public @main(%a) { %1 = call @f(%a) }          ->  func.func public @main(%a) { %1 = negate %a }

Producers split programs into functions for their own reasons (JAX: one per jit, one per scan body); fusion must see
across. A composite means what its decomposition means (StableHLO spec, composite).
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.core import func
from tesselle.dialects.stablehlo.control_flow import CompositeOp, CustomCallOp
from tesselle.ir.attributes import SymbolRef
from tesselle.ir.core import BlockArgument, Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.symbols import symbols_of
from tesselle.support.diagnostics import Diagnostic, Note, Unsupported, VerifyError
from tesselle.support.locations import CallSiteLocation, NameLocation, UnknownLocation


@register_pass("inline-calls")
@dataclass(frozen=True)
class InlineCalls(Pass):
    """Inline every call. Errors: Unsupported for recursion, and for calls of functions with several blocks."""

    def run(self, module: Op) -> None:
        functions = {name: op for name, op in symbols_of(module) if isinstance(op, func.FuncOp)}
        remaining = _calls_left(functions)
        done: set[str] = set()
        for name in functions:
            _inline_into(name, functions, remaining, done, [])
        named = _named_by_custom_calls(functions)
        for f in functions.values():
            if not f.is_public and f.sym_name not in named:
                f.erase()


def _named_by_custom_calls(functions: dict[str, func.FuncOp]) -> set[str]:
    """Functions that custom calls take as arguments, such as comparators: expand-custom-calls needs them."""
    found: set[str] = set()
    for f in functions.values():
        if f.is_public:
            found.update(n.root for op in f.walk() if isinstance(op, CustomCallOp) for n in op.called_computations)
    return found


def _callee(op: Op) -> SymbolRef | None:
    if isinstance(op, func.CallOp):
        return op.callee
    return op.decomposition if isinstance(op, CompositeOp) else None


def _calls_left(functions: dict[str, func.FuncOp]) -> dict[str, int]:
    """How often each function is called; the last call may take the body instead of a copy."""
    counts = dict.fromkeys(functions, 0)
    for f in functions.values():
        for op in f.walk():
            callee = _callee(op)
            if callee is not None and callee.root in counts:
                counts[callee.root] += 1
    return counts


def _inline_into(
    name: str, functions: dict[str, func.FuncOp], remaining: dict[str, int], done: set[str], path: list[str]
) -> None:
    """Inline all calls in function `name`, callees first, so that every body is inlined once."""
    if name in done:
        return
    if name in path:
        chain = " -> ".join(f"@{n}" for n in [*path[path.index(name) :], name])
        raise Unsupported(f"recursion is not supported: {chain}", functions[name].location, "func.call.recursion")
    for op in list(functions[name].walk()):
        callee = _callee(op)
        if callee is None:
            continue
        target = functions.get(callee.root)
        if target is None:
            raise VerifyError(f"there is no function {callee}", op.location, f"{op.name}.callee")
        _inline_into(callee.root, functions, remaining, done, [*path, name])
        remaining[callee.root] -= 1
        _replace(op, target, take=remaining[callee.root] == 0 and not target.is_public)
    done.add(name)


def _hand_on_names(call: Op, target: func.FuncOp) -> None:
    """Arguments that the caller has no names for, and hands on, are called what `target` calls them.

    JAX puts the function that it exports into one that checks the sizes of the arguments; only the inner one has names.
    """
    for value, arg in zip(call.operands, target.entry.args, strict=True):
        known = isinstance(value, BlockArgument) and isinstance(value.block.parent_op, func.FuncOp)
        if known and isinstance(value.location, UnknownLocation) and isinstance(arg.location, NameLocation):
            value.location = arg.location


def _replace(call: Op, target: func.FuncOp, *, take: bool) -> None:
    """Put the body of `target` in place of `call`; `take` moves it instead of copying."""
    if len(target.body.blocks) != 1:
        what = "has no body" if target.is_declaration else "has several blocks"
        diagnostic = Diagnostic(
            f"@{target.sym_name}, which is called here, {what}",
            call.location,
            f"{call.name}.callee",
            (Note("the function", target.location),),
        )
        raise Unsupported.several([diagnostic])
    assert call.parent is not None
    _hand_on_names(call, target)
    mapping: dict[Value, Value] = dict(zip(target.entry.args, call.operands, strict=True))
    results: list[Value] = []
    for op in target.entry:
        if isinstance(op, func.ReturnOp):
            results = [mapping.get(v, v) for v in op.values]
            break
        if take:
            for i, v in enumerate(op.operands):
                if v in mapping:
                    op.set_operand(i, mapping[v])
            for inner in (o for region in op.regions for o in region.walk()):
                for i, v in enumerate(inner.operands):
                    if v in mapping:
                        inner.set_operand(i, mapping[v])
            op.move_before(call)
            placed = op
        else:
            placed = op.clone(mapping)
            call.parent.insert(placed, call)
        placed.location = CallSiteLocation(placed.location, call.location)
    call.replace_with(results)
