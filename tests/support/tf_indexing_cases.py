"""Gather, scatter, segments, searches and sorts of TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from tf_cases import Case, Sizes, Spec, below, case, exactly

tf: Any = None

M = Spec(("n", "m"))
M4 = Spec(("n", 4))
V = Spec(("n",))
TWO = Spec((), "int32", exactly(2))


def index(*shape: int | str, dtype: str = "int32", limit: int = 2) -> Spec:
    return Spec(shape, dtype, below(limit))


def _sorted(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    return np.sort(rng.integers(0, 5, shape), -1).astype(dtype)


def _gradient(function: Any, x: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tf.convert_to_tensor(tape.gradient(y, x))


# Indices are below 2: where there is one, two places are needed. TensorFlow does not look at indices where it copies
# nothing, as out of [0, 0]; they are out of bounds all the same.
def of_rows(sizes: Sizes) -> bool:
    """`k` of `n` rows."""
    return sizes["n"] >= 2 or sizes["k"] == 0


def of_columns(sizes: Sizes) -> bool:
    """For each of `n` rows, `k` of `m` columns."""
    return sizes["m"] >= 2 or 0 in (sizes["n"], sizes["k"])


def of_elements(sizes: Sizes) -> bool:
    """`k` elements of `n` rows and `m` columns."""
    return min(sizes["n"], sizes["m"]) >= 2 or sizes["k"] == 0


CASES: dict[str, Case] = {
    "gather": case(lambda x, i: tf.gather(x, i), M, index("k"), legal=of_rows),
    "gather_matrix": case(
        lambda x, i: tf.gather(x, i, axis=1),
        (("n", "m", 3),),
        index("k", 2, dtype="int64"),
        legal=lambda s: s["m"] >= 2 or s["k"] == 0,
    ),
    "gather_scalar": case(lambda x, i: tf.gather(x, i, axis=-1), M, index(), least={"m": 2}),
    "gather_batch": case(lambda x, i: tf.gather(x, i, batch_dims=1, axis=1), M, index("n", "k"), legal=of_columns),
    "gather_batch_deep": case(
        lambda x, i: tf.gather(x, i, batch_dims=1, axis=2), (("n", 3, "m", 2),), index("n", "k", 2), legal=of_columns
    ),
    "gather_raw": case(lambda x, i: tf.raw_ops.Gather(params=x, indices=i), M, index("k"), legal=of_rows),
    "gather_nd": case(lambda x, i: tf.gather_nd(x, i), M, index("k", 2), legal=of_elements),
    "gather_nd_rows": case(
        lambda x, i: tf.gather_nd(x, i),
        (("n", "m", 3),),
        index("k", 2, 1),
        legal=lambda s: (s["n"] >= 2 and s["m"] >= 1) or s["k"] == 0,
    ),
    "gather_nd_batch": case(lambda x, i: tf.gather_nd(x, i, batch_dims=1), M, index("n", "k", 1), legal=of_columns),
    "gather_of_sizes": case(lambda x: tf.reshape(x, tf.gather(tf.shape(x), [1, 0])), M),
    "embedding": case(
        lambda x: tf.nn.embedding_lookup(tf.reshape(tf.range(12.0), [6, 2]), x), index("n", "m", limit=6)
    ),
    "scatter_nd": case(lambda i, u: tf.scatter_nd(i, u, [10, 4]), index("n", 1, limit=9), M4),
    "scatter_nd_computed": case(lambda i, u, n: tf.scatter_nd(i, u, [n, 4]), index("n", 1), M4, TWO),
    # Of three places the first and the last are updated.
    "scatter_update": case(
        lambda x, i, u: tf.tensor_scatter_nd_update(x, i, u),
        M4,
        Spec((2, 1), "int32", exactly([[2], [0]])),
        Spec((2, 4)),
        least=3,
    ),
    "scatter_add": case(
        lambda x, i, u: tf.tensor_scatter_nd_add(x, i, u),
        M,
        index("k", 2),
        Spec(("k",)),
        legal=of_elements,
        tolerance=1e-5,
    ),
    "scatter_sub": case(
        lambda x, i, u: tf.tensor_scatter_nd_sub(x, i, u),
        M,
        index("k", 2),
        Spec(("k",)),
        legal=of_elements,
        tolerance=1e-5,
    ),
    "scatter_max": case(
        lambda x, i, u: (tf.tensor_scatter_nd_max(x, i, u), tf.tensor_scatter_nd_min(x, i, u)),
        M4,
        index("k", 1),
        Spec(("k", 4)),
        legal=lambda s: s["n"] >= 2 or s["k"] == 0,
    ),
    "unsorted_segments": case(
        lambda x, i: tuple(
            f(x, i, 5)
            for f in (
                tf.math.unsorted_segment_sum,
                tf.math.unsorted_segment_max,
                tf.math.unsorted_segment_min,
                tf.math.unsorted_segment_prod,
            )
        ),
        M4,
        Spec(("n",), "int32", lambda r, s, d: r.integers(-1, 5, s).astype(d)),
        tolerance=1e-5,
    ),
    "unsorted_segments_computed": case(
        lambda x, i, n: tf.math.unsorted_segment_sum(x, i, n), M4, index("n"), TWO, tolerance=1e-5
    ),
    "unsorted_segments_means": case(
        lambda x, i: tf.math.unsorted_segment_mean(x, i, 3), M4, index("n", limit=3), tolerance=1e-5
    ),
    "unsorted_segments_matrix": case(
        lambda x, i: tf.math.unsorted_segment_sum(x, i, 3), (("n", "m", 2),), index("n", "m", limit=3), tolerance=1e-5
    ),
    "segments": case(
        lambda x, i: tuple(
            f(x, i)
            for f in (
                tf.math.segment_sum,
                tf.math.segment_max,
                tf.math.segment_min,
                tf.math.segment_prod,
                tf.math.segment_mean,
            )
        ),
        M4,
        Spec(("n",), "int32", _sorted),
        tolerance=1e-5,
    ),
    "stitch": case(lambda x, y: tf.dynamic_stitch([[0, 3], [1, 2]], [x, y]), Spec((2, "m")), Spec((2, "m"))),
    "stitch_computed": case(
        lambda i, j, x, y: tf.dynamic_stitch([i, j], [x, y]),
        index("n", limit=6),
        index("m", limit=6),
        M4,
        Spec(("m", 4)),
    ),
    "partition": case(lambda x, p: tf.dynamic_partition(x, p, 3), M4, index("n", limit=3)),
    "partition_matrix": case(lambda x, p: tf.dynamic_partition(x, p, 2), M, index("n", "m")),
    "invert_permutation": case(lambda: tf.math.invert_permutation([2, 0, 1, 3])),
    "bincount": case(lambda x: tf.math.bincount(x), index("n", limit=6)),
    "bincount_limits": case(lambda x: tf.math.bincount(x, minlength=5, maxlength=5), index("n", limit=7)),
    "bincount_weights": case(
        lambda x, w: tf.math.bincount(x, w, minlength=5, maxlength=5), index("n", limit=7), V, tolerance=1e-5
    ),
    "bincount_rows": case(lambda x: tf.math.bincount(x, axis=-1, minlength=4, maxlength=4), index("n", "m", limit=6)),
    "bincount_binary": case(
        lambda x: tf.math.bincount(x, axis=-1, minlength=4, maxlength=4, binary_output=True),
        index("n", "m", limit=6),
    ),
    "bucketize": case(lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 0.5]), M),
    "search_sorted": case(
        lambda s, v: (tf.searchsorted(s, v), tf.searchsorted(s, v, side="right")),
        Spec(("n", "m"), "int32", _sorted),
        index("n", "k", limit=6),
        # As [-1, m] and [-1, k], of no rows without columns TensorFlow makes one row: either both have it, or none.
        legal=lambda s: s["n"] > 0 or (s["m"] == 0) == (s["k"] == 0),
    ),
    "where": case(lambda x: tf.where(x > 0), M),
    "where_numbers": case(lambda x: tf.where(x), Spec((2, 3), "int32", below(2))),
    "where_three": case(lambda x: tf.where(x), Spec(("n", 2, "m"), "int32", below(2))),
    "boolean_mask": case(lambda x, c: tf.boolean_mask(x, c), M, Spec(("n",), "bool")),
    "boolean_mask_matrix": case(lambda x: tf.boolean_mask(x, x > 0), M),
    "unique": case(lambda x: tuple(tf.unique(x)), index("n", limit=5)),
    "unique_floats": case(
        lambda x: tuple(tf.unique_with_counts(x, tf.int64)),
        Spec(("n",), "float32", lambda r, s, d: r.choice([1.5, -2.0, 7.0], s).astype(d)),
    ),
    # Of that many columns.
    "top_k": case(lambda x: tuple(tf.math.top_k(x, 2)), M, least={"m": 2}),
    "top_k_static": case(lambda x: tuple(tf.math.top_k(x, 2)), M4),
    "top_k_computed": case(lambda x, k: tuple(tf.math.top_k(x, k)), M, TWO, least={"m": 2}),
    "top_k_equal": case(
        lambda x: tuple(tf.math.top_k(x, 3)),
        Spec(("n", "m"), "int32", below(3)),
        least={"m": 3},
    ),
    "sort": case(lambda x: (tf.sort(x), tf.sort(x, axis=0, direction="DESCENDING")), M),
    "argsort": case(lambda x: tf.argsort(x, direction="DESCENDING", stable=True), M),
    "in_top_k": case(lambda x, t: tf.math.in_top_k(t, x, 2), M4, index("n", limit=4)),
    "gradient_of_gather": case(
        lambda x, i: _gradient(lambda a: tf.reduce_sum(tf.gather(a, i) ** 2), x),
        M4,
        index("k"),
        legal=lambda s: s["n"] >= 2 or s["k"] == 0,
        tolerance=1e-5,
    ),
    "gradient_of_where": case(
        lambda x: _gradient(lambda a: tf.reduce_sum(tf.where(a > 0, a * a, a)), x), M, tolerance=1e-5
    ),
    "gradient_of_top_k": case(
        lambda x: _gradient(lambda a: tf.reduce_sum(tf.math.top_k(a, 2)[0] ** 2), x), M4, tolerance=1e-5
    ),
    "gradient_of_mask": case(
        lambda x: _gradient(lambda a: tf.reduce_sum(tf.boolean_mask(a, a > 0) ** 2), x),
        M,
        tolerance=1e-5,
    ),
}
