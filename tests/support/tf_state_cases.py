"""Loops, branches, calls and variables of TensorFlow."""

from __future__ import annotations

from typing import Any

from tf_cases import Case, Spec, case, exactly

tf: Any = None

M = Spec(("n", 3))
V = Spec(("n",))
I0 = Spec((), "int32", exactly(4))


def _variables(**values: Any) -> Any:
    def make() -> Any:
        module = tf.Module()
        for name, value in values.items():
            setattr(module, name, tf.Variable(value() if callable(value) else value, name=name))
        return module

    return make


def _count(m: Any, x: Any) -> Any:
    m.n.assign_add(1)
    m.total.assign(m.total * 0.5 + tf.reduce_sum(x))
    m.n.assign_sub(3)
    return m.total + tf.cast(m.n, tf.float32)


def _loop(x: Any, n: Any) -> Any:
    return tf.while_loop(
        lambda i, a, b: i < n, lambda i, a, b: (i + 1, b, a * 0.5 + tf.cast(i, tf.float32)), (0, x, x * 2)
    )


def _nested(x: Any, n: Any) -> Any:
    def outer(i: Any, a: Any) -> Any:
        _, b = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, b + x), (0, a))
        return i + 1, tf.cond(tf.reduce_sum(b) > 0, lambda: b * 0.5, lambda: b - 1)

    return tf.while_loop(lambda i, a: i < n, outer, (0, x))


def _state_in_loop(m: Any, x: Any, n: Any) -> Any:
    def body(i: Any) -> Any:
        m.total.assign_add(tf.reduce_sum(x) + tf.cast(i, tf.float32))
        return (i + 1,)

    tf.while_loop(lambda i: i < n, body, (0,))
    return tf.cond(m.total > 0, lambda: m.total + 1, lambda: m.total.assign(1.0) - 1)


def _scatters(m: Any, i: Any, u: Any) -> Any:
    m.t.scatter_update(tf.IndexedSlices(u, i))
    m.t.scatter_add(tf.IndexedSlices(u, i))
    m.t.scatter_sub(tf.IndexedSlices(u * 0.5, i))
    m.t.scatter_max(tf.IndexedSlices(u, i))
    m.t.scatter_min(tf.IndexedSlices(u, i))
    m.t.scatter_mul(tf.IndexedSlices(u, i))
    m.t.scatter_div(tf.IndexedSlices(u + 7, i))
    return m.t.read_value(), tf.gather(m.t, i), tf.shape(m.t)


def _slices(m: Any, x: Any, i: Any) -> Any:
    m.t[1:3, 0].assign(x[:2, 0])
    m.t[i].assign(x[0])
    m.t[::2, ::-1].assign(m.t[::2] * 2)
    return m.t[i:] + 0


def _optimizer(name: str, slots: int, **scalars: Any) -> Any:
    """A step of a kernel, which updates the variable `var` and its slots."""

    def call(m: Any, g: Any) -> Any:
        places = SLOTS[name]
        handles = {key: getattr(m, f"v{i}").handle for i, key in enumerate(places)}
        getattr(tf.raw_ops, name)(
            **handles, **scalars, **{"delta" if name == "ResourceApplyGradientDescent" else "grad": g}
        )
        return [getattr(m, f"v{i}").read_value() for i in range(len(places))]

    values = {f"v{i}": (lambda i=i: tf.reshape(tf.range(6.0) + i + 1, [2, 3]) / 7) for i in range(slots)}
    return case(call, Spec((2, 3)), state=_variables(**values), calls=3, tolerance=1e-5)


SLOTS = {
    "ResourceApplyGradientDescent": ("var",),
    "ResourceApplyMomentum": ("var", "accum"),
    "ResourceApplyKerasMomentum": ("var", "accum"),
    "ResourceApplyAdam": ("var", "m", "v"),
    "ResourceApplyAdaMax": ("var", "m", "v"),
    "ResourceApplyRMSProp": ("var", "ms", "mom"),
    "ResourceApplyCenteredRMSProp": ("var", "mg", "ms", "mom"),
    "ResourceApplyAdagrad": ("var", "accum"),
    "ResourceApplyAdagradV2": ("var", "accum"),
    "ResourceApplyAdadelta": ("var", "accum", "accum_update"),
}


def _training(m: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape() as tape:
        h = tf.nn.relu(x @ m.w + m.b)
        loss = tf.reduce_mean((h - y) ** 2)
    dw, db = tape.gradient(loss, [m.w, m.b])
    m.v.assign(0.9 * m.v + dw)
    m.w.assign_sub(0.1 * m.v)
    m.b.assign_sub(0.1 * db)
    return loss


CASES: dict[str, Case] = {
    "while": case(_loop, M, I0),
    "while_nested": case(_nested, M, I0, tolerance=1e-5),
    "while_constant": case(lambda x: tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a + 1), (0, x)), M),
    "while_float": case(
        lambda x: tf.while_loop(lambda a: tf.reduce_sum(a) < 100, lambda a: (a * 2 + 1,), (tf.abs(x),)),
        M,
        least=1,  # a sum of nothing stays below 100
    ),
    "cond": case(lambda x, p: tf.cond(p, lambda: x + 1, lambda: x * 2), M, Spec((), "bool", exactly(True))),
    "cond_false": case(
        lambda x, p: tf.cond(p, lambda: (x + 1, 2.0), lambda: (tf.sin(x), 3.0)), M, Spec((), "bool", exactly(False))
    ),
    "case": case(
        lambda x, i: tf.switch_case(i, [lambda: x, lambda: x + 1, lambda: -x]), M, Spec((), "int32", exactly(1))
    ),
    "case_outside": case(
        lambda x, i: tf.switch_case(i, [lambda: x, lambda: x + 1, lambda: -x]), M, Spec((), "int32", exactly(9))
    ),
    "call": case(lambda x: tf.function(lambda y: tf.function(lambda z: z + 1)(y) * 2)(x), M),
    "assert_and_print": case(
        lambda x: (tf.debugging.assert_less(x, 100.0), tf.print("x", x), tf.debugging.check_numerics(x, "m"))[2], M
    ),
    "count": case(_count, V, state=_variables(n=7, total=1.0), calls=3, tolerance=1e-5),
    "state_in_loop": case(_state_in_loop, V, I0, state=_variables(total=0.0), calls=2, tolerance=1e-5),
    "scatters": case(
        _scatters,
        Spec((3,), "int32", exactly([2, 0, 3])),
        Spec((3, 3)),
        state=_variables(t=lambda: tf.reshape(tf.range(12.0), [4, 3])),
        calls=2,
        tolerance=1e-5,
    ),
    "slices": case(
        _slices,
        M,
        Spec((), "int32", exactly(2)),
        state=_variables(t=lambda: tf.reshape(tf.range(12.0), [4, 3])),
        calls=2,
        least=1,  # it reads x[0]
    ),
    "captured_constant": case(lambda m, x: x * m.c + m.w, M, state=lambda: _with_constant(), calls=2),
    "training": case(
        _training,
        Spec(("n", 4)),
        Spec(("n", 3)),
        state=_variables(
            w=lambda: tf.reshape(tf.range(12.0), [4, 3]) / 12, b=lambda: tf.ones([3]), v=lambda: tf.zeros([4, 3])
        ),
        calls=3,
        tolerance=1e-5,
    ),
    "gradient_of_loop": case(lambda x, n: _loop_gradient(x, n), M, I0, tolerance=1e-5),
    "gradient_descent": _optimizer("ResourceApplyGradientDescent", 1, alpha=0.1),
    "momentum": _optimizer("ResourceApplyMomentum", 2, lr=0.1, momentum=0.9),
    "nesterov": _optimizer("ResourceApplyMomentum", 2, lr=0.1, momentum=0.9, use_nesterov=True),
    "keras_momentum": _optimizer("ResourceApplyKerasMomentum", 2, lr=0.1, momentum=0.9),
    "keras_nesterov": _optimizer("ResourceApplyKerasMomentum", 2, lr=0.1, momentum=0.9, use_nesterov=True),
    "adam": _optimizer(
        "ResourceApplyAdam", 3, beta1_power=0.9, beta2_power=0.99, lr=0.1, beta1=0.9, beta2=0.99, epsilon=1e-3
    ),
    "nadam": _optimizer(
        "ResourceApplyAdam",
        3,
        beta1_power=0.9,
        beta2_power=0.99,
        lr=0.1,
        beta1=0.9,
        beta2=0.99,
        epsilon=1e-3,
        use_nesterov=True,
    ),
    "ada_max": _optimizer("ResourceApplyAdaMax", 3, beta1_power=0.9, lr=0.1, beta1=0.9, beta2=0.99, epsilon=1e-3),
    "rms_prop": _optimizer("ResourceApplyRMSProp", 3, lr=0.1, rho=0.9, momentum=0.5, epsilon=1e-3),
    "centered_rms_prop": _optimizer("ResourceApplyCenteredRMSProp", 4, lr=0.01, rho=0.9, momentum=0.5, epsilon=9.0),
    "adagrad": _optimizer("ResourceApplyAdagrad", 2, lr=0.1),
    "adagrad_v2": _optimizer("ResourceApplyAdagradV2", 2, lr=0.1, epsilon=1e-3),
    "adadelta": _optimizer("ResourceApplyAdadelta", 3, lr=0.1, rho=0.9, epsilon=1e-3),
}


def _with_constant() -> Any:
    module = tf.Module()
    module.w = tf.Variable([1.0, 2.0, 3.0])
    module.c = tf.constant([3.0, 1.0, 2.0])
    return module


def _loop_gradient(x: Any, n: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(x)
        _, y = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, tf.sin(a) * 1.5), (0, x))
        y = tf.reduce_sum(y)
    return tape.gradient(y, x)
