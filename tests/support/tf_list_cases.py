"""TensorArrays and lists of tensors: of fixed size, of computed size, and growing."""

from __future__ import annotations

from typing import Any

from tf_cases import Case, Spec, below, between, case, exactly

tf: Any = None

M = Spec(("n", 3))
OPEN = Spec(("n", "m"))
I0 = Spec((), "int32", exactly(4))
ZERO = Spec((), "int32", exactly(0))
T = 1e-5
# Nothing is read from an empty list, nor stacked where no shape of its elements is known.
ROWS = {"n": 1}
STEPS = {"t": 1}


def _array(size: Any, **options: Any) -> Any:
    return tf.TensorArray(tf.float32, size, **options)


def _squares(x: Any, n: Any) -> Any:
    """a[i] = x * i for i below n."""
    a = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a.write(i, x * tf.cast(i, tf.float32))), (0, _array(n)))[
        1
    ]
    return a.stack(), a.size(), a.read(n - 1)


def _fixed(x: Any) -> Any:
    a = _array(3, element_shape=[3]).unstack(x[:3])
    a = a.write(1, x[0] * 2)
    return a.stack(), a.gather([2, 0]), a.read(1)


def _growing(x: Any, n: Any) -> Any:
    """Writes behind the end; nothing is reserved."""
    a = _array(0, dynamic_size=True, element_shape=[None])
    a = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a.write(i, x + tf.cast(i, tf.float32))), (0, a))[1]
    return tf.reshape(a.stack(), [n, -1]), a.size()


def _growing_until(x: Any) -> Any:
    """How often the loop runs depends on the data."""
    a = _array(0, dynamic_size=True, element_shape=[])
    _, y, a = tf.while_loop(
        lambda i, y, a: y < 100.0, lambda i, y, a: (i + 1, y * 1.5 + 1, a.write(i, y)), (0, tf.reduce_sum(tf.abs(x)), a)
    )
    return a.stack(), y


def _growing_shapeless(x: Any, n: Any) -> Any:
    """The shape of the elements is not known where the array is made."""
    a = _array(0, dynamic_size=True, infer_shape=False, element_shape=[None, None])

    def body(i: Any, a: Any) -> Any:
        return i + 1, a.write(i, tf.boolean_mask(x, x[:, 0] > -100.0) * tf.cast(i, tf.float32))

    return tf.reshape(tf.while_loop(lambda i, a: i < n, body, (0, a))[1].stack(), [-1])


def _in_branch(x: Any, n: Any) -> Any:
    a = _array(n, element_shape=[None, 3])
    a = tf.while_loop(
        lambda i, a: i < n,
        lambda i, a: (i + 1, tf.cond(i % 2 == 0, lambda: a.write(i, x), lambda: a.write(i, x * 10))),
        (0, a),
    )[1]
    return a.stack()


def _nested(x: Any, n: Any) -> Any:
    def outer(i: Any, a: Any) -> Any:
        b = tf.while_loop(
            lambda j, b: j < i + 1,
            lambda j, b: (j + 1, b.write(j, x[0] * tf.cast(i + j, tf.float32))),
            (0, _array(i + 1)),
        )[1]
        return i + 1, a.write(i, tf.reduce_sum(b.stack(), 0))

    return tf.while_loop(lambda i, a: i < n, outer, (0, _array(n)))[1].stack()


def _running(x: Any) -> Any:
    """a[i] = a[i - 1] + x[i]: elements are made of elements."""
    n = tf.shape(x)[0]
    a = _array(n, clear_after_read=False).write(0, x[0])
    a = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a.write(i, a.read(i - 1) * 0.5 + x[i])), (1, a))[1]
    return a.stack()


def _gradient(function: Any, *args: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(list(args))
        y = tf.reduce_sum(function(*args) ** 2)
    return tape.gradient(y, list(args))


def _cell(h: Any, x: Any) -> Any:
    return tf.tanh(h @ tf.reshape(tf.range(9.0) / 9 - 0.5, [3, 3]) + x)


def _recurrent(x: Any) -> Any:
    """[time, n, 3] -> [time, n, 3]."""
    return tf.scan(_cell, x, initializer=tf.zeros_like(x[0]))


def _recurrent_weights(x: Any, w: Any) -> Any:
    return tf.scan(lambda h, v: tf.tanh(h @ w + v), x, initializer=tf.zeros_like(x[0]))


def _doubled_until(x: Any) -> Any:
    return tf.while_loop(lambda y: tf.reduce_sum(y * y) < 500.0, lambda y: (y * tf.exp(0.1 * y) + 1.0,), (x,))[0]


def _raw(x: Any, n: Any) -> Any:
    """Operations on lists as they are."""
    r = tf.raw_ops
    a = r.EmptyTensorList(element_shape=[-1], max_num_elements=-1, element_dtype=tf.float32)
    for k in range(3):
        a = r.TensorListPushBack(input_handle=a, tensor=x * k)
    a, last = r.TensorListPopBack(input_handle=a, element_shape=[-1], element_dtype=tf.float32)
    b = r.TensorListFromTensor(tensor=tf.stack([x, x + 1]), element_shape=[-1])
    c = r.TensorListConcatLists(input_a=a, input_b=b, element_dtype=tf.float32)
    c = r.TensorListResize(input_handle=c, size=n + 1)
    d = r.TensorListScatterV2(tensor=tf.stack([x, x + 1]), indices=[2, 0], element_shape=[-1], num_elements=-1)
    length = r.TensorListLength(input_handle=c)

    def stack(list_: Any) -> Any:
        return r.TensorListStack(input_handle=list_, element_shape=[-1], element_dtype=tf.float32)

    return last, stack(c), stack(d), length


CASES: dict[str, Case] = {
    "squares": case(_squares, M, I0),
    "squares_open": case(_squares, OPEN, I0),
    "squares_none": case(
        lambda x, n: tf.while_loop(
            lambda i, a: i < n, lambda i, a: (i + 1, a.write(i, x)), (0, _array(n, element_shape=[None, 3]))
        )[1].size(),
        M,
        ZERO,
    ),
    "fixed": case(_fixed, Spec((4, 3))),
    "growing": case(_growing, Spec(("n",)), I0),
    "growing_until": case(_growing_until, M),
    "growing_shapeless": case(_growing_shapeless, M, I0),
    "in_branch": case(_in_branch, M, I0),
    "nested": case(_nested, M, I0, least=ROWS, tolerance=T),
    "running": case(_running, OPEN, least=ROWS, tolerance=T),
    "unstack": case(lambda x: [_array(2).unstack(x[:2]).read(i) for i in range(2)], OPEN, least={"n": 2}),
    "gather": case(
        lambda x, i: _array(tf.shape(x)[0]).unstack(x).gather(i),
        OPEN,
        Spec(("k",), "int32", below(2)),
        least={"n": 2, "k": 1},
    ),
    "scatter": case(lambda x: _array(5).scatter([3, 1], x).stack(), Spec((2, "m"))),
    "concat": case(lambda x: _array(tf.shape(x)[0]).unstack(x).concat(), (("n", "m", 2),)),
    "split": case(lambda x: _array(3).split(x, [2, 2, 2]).stack(), Spec((6, "m"))),
    "raw": case(_raw, Spec(("m",)), I0),
    "map": case(lambda x: tf.map_fn(lambda r: tf.reduce_sum(r) * r, x), OPEN, least=ROWS, tolerance=T),
    "map_two": case(
        lambda x: tf.map_fn(lambda r: (r + 1, tf.reduce_max(r)), x, fn_output_signature=(tf.float32, tf.float32)),
        OPEN,
        least=ROWS,
        tolerance=T,
    ),
    "vectorized_map": case(lambda x: tf.vectorized_map(lambda r: tf.reduce_sum(r) * r, x), OPEN, tolerance=T),
    "fold": case(
        lambda x: (tf.foldl(lambda a, r: a * 0.5 + r, x), tf.foldr(lambda a, r: a * 0.5 + r, x)),
        OPEN,
        least=ROWS,
        tolerance=T,
    ),
    "scan": case(lambda x: tf.scan(lambda a, r: a * 0.5 + r, x), OPEN, least=ROWS, tolerance=T),
    "scan_back": case(lambda x: tf.scan(lambda a, r: a + r, x, reverse=True), OPEN, least=ROWS, tolerance=T),
    "scan_cell": case(_recurrent, (("t", "n", 3),), least=STEPS, tolerance=T),
    "gradient_of_map": case(
        lambda x: _gradient(lambda a: tf.map_fn(lambda r: tf.sin(r) * r, a), x), OPEN, least=ROWS, tolerance=T
    ),
    "gradient_of_scan": case(lambda x: _gradient(_recurrent, x), (("t", "n", 3),), least=STEPS, tolerance=1e-4),
    "gradient_of_scan_weights": case(
        lambda x, w: _gradient(_recurrent_weights, x, w),
        (("t", "n", 3),),
        Spec((3, 3), values=between(-0.5, 0.5)),  # larger weights would multiply what is rounded from step to step
        least=STEPS,
        tolerance=1e-4,
    ),
    "gradient_of_fixed": case(
        lambda x: _gradient(lambda a: tf.concat([tf.reshape(p, [-1]) for p in _fixed(a)], 0), x),
        Spec((4, 3)),
        tolerance=T,
    ),
    # A sum of nothing stays below every limit: without elements the loop has no end.
    "gradient_of_while": case(lambda x: _gradient(_doubled_until, x), M, least=1, tolerance=1e-3),
    "gradient_of_growing": case(lambda x, n: _gradient(lambda a: _growing(a, n)[0], x), Spec(("n",)), I0, tolerance=T),
}
