"""Results that are right in more than one way: ours are brought into the form that XLA chose, then compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Results = Sequence[Array]
Align = Callable[[Any, Results, Results, Results], Results]
"""(harness, arguments, found, expected) -> what stands for `found` in the comparison."""


def align(harness: Any, arguments: Results, found: Results, expected: Results) -> Results:
    """`found`, or something equal to it by the meaning of the harness's group that lies nearer to `expected`."""
    rule = RULES.get(harness.group_name)
    same_types = [(f.shape, f.dtype) for f in found] == [(e.shape, e.dtype) for e in expected]
    return found if rule is None or not same_types else rule(harness, arguments, found, expected)


def _sort(harness: Any, arguments: Results, found: Results, expected: Results) -> Results:
    """Without `is_stable` elements with equal keys may come in any order.

    Where both hold the same tuples, and the keys stand in the same order, the sorts are equal.
    """
    if harness.params["is_stable"]:
        return found
    # Behind the sorted arrays stand gradients; all elements have the same, whatever their order.
    count = len(arguments)
    (found, gradients), expected = (found[:count], found[count:]), expected[:count]
    # Counted from the end, where a batch in front does not matter.
    keys, axis = harness.params["num_keys"], harness.params["dimension"] - len(harness.params["shape"])
    same_keys = _equal(found[:keys], expected[:keys])
    is_equal = same_keys and _equal(_ordered(found, axis), _ordered(expected, axis))
    return [*(expected if is_equal else found), *gradients]


def _ordered(results: Results, axis: int) -> Results:
    """The tuples of all results along `axis`, in lexicographic order."""
    order = np.lexsort(tuple(results[::-1]), axis=axis)
    return [np.take_along_axis(r, order, axis) for r in results]


def _digamma(_: Any, __: Results, found: Results, expected: Results) -> Results:
    """The derivative is a sum of squares. Where XLA's is negative (below -9 it leaves out the terms around the nearest
    pole, and is off by any factor: -240099 instead of 557 at -9.04), ours is not compared.
    """
    if len(found) == 1:
        return found
    values, derivative = found
    return [values, np.where((expected[1] < 0) & (derivative > 0), expected[1], derivative)]


def _top_k(_: Any, arguments: Results, found: Results, expected: Results) -> Results:
    """Of equal elements any may be chosen: an index is right when its element is."""
    values, indices, *gradient = found
    is_distinct = all(len(set(row)) == len(row) for row in indices.reshape(-1, indices.shape[-1]))
    taken = np.take_along_axis(arguments[0], indices, -1)
    if not is_distinct or not _equal([taken], [values]):
        return found
    if gradient:
        # What comes in for a value goes to the place that it was taken from.
        moved = np.zeros_like(gradient[0])
        np.put_along_axis(moved, indices, gradient[0].dtype.type(0.5), -1)
        gradient = expected[2:] if _equal([moved], gradient) else gradient
    return [values, expected[1], *gradient]


def _equal(found: Results, expected: Results) -> bool:
    return all(np.array_equal(f, e, equal_nan=True) for f, e in zip(found, expected, strict=True))


RULES: dict[str, Align] = {
    "approx_top_k": _top_k,
    "digamma": _digamma,
    "sort": _sort,
}
