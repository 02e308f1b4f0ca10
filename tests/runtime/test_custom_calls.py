"""Custom calls: expansions and host functions that Python registers, from text to results, and what can go wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_sizes import combinations

import tesselle as ts
from tesselle.artifact.schema import Manifest
from tesselle.dialects.stablehlo.elementwise import MultiplyOp
from tesselle.ir.text import parse_module
from tesselle.reference import interpret
from tesselle.support.custom_calls import CustomCall

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

X = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture(autouse=True)
def registry() -> Generator[None]:
    yield
    for target in ("t.f", "t.g", "t.log"):
        ts.unregister_custom_call(target)


def compiled(text: str, *known: str) -> ts.Artifact:
    return ts.compile(text, options=ts.CompileOptions(custom_calls=known, verify_each=True))


def both(text: str, *args: Any) -> list[np.ndarray[Any, Any]]:
    """The results of the compiled program, which are those of the reference."""
    out = ts.load(compiled(text))["main"](*args)
    found = list(out) if isinstance(out, tuple) else [out]
    module: Any = parse_module(text)
    for f, want in zip(found, interpret(module, "main", args), strict=True):
        np.testing.assert_array_equal(f, want)
    return found


def call(body: str, result: str = "tensor<3x4xf32>") -> str:
    return f"func.func @main(%x: tensor<3x4xf32>) -> {result} {{ {body} return %r : {result} }}"


SIMPLE = call("%r = stablehlo.custom_call @t.f(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>")

# ------------------------------------------------------------------------------------------------ host functions


def test_a_host_function_between_kernels() -> None:
    seen: list[tuple[bool, int]] = []

    @ts.custom_call("t.f")
    def f(call: ts.CustomCall, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        seen.append((x.flags.writeable, call.api_version))
        return np.sort(x, axis=1)[:, ::-1]

    text = call("""
      %a = stablehlo.multiply %x, %x : tensor<3x4xf32>
      %b = stablehlo.custom_call @t.f(%a) {api_version = 2 : i32} : (tensor<3x4xf32>) -> tensor<3x4xf32>
      %r = stablehlo.add %b, %x : tensor<3x4xf32>""")
    (found,) = both(text, X)
    np.testing.assert_array_equal(found, (X * X)[:, ::-1] + X)
    assert seen == [(False, 2)] * 2


def test_several_results_none_and_scalars() -> None:
    @ts.custom_call("t.f")
    def f(call: ts.CustomCall, x: np.ndarray[Any, Any]) -> Any:
        assert [str(s) for s in call.results] == ["tensor<i32>", "tensor<4xf64>", "tensor<2x0xf32>"]
        return np.int32(x.argmax()), x.sum(0, dtype=np.float64), np.zeros((2, 0), np.float32)

    logged: list[float] = []

    @ts.custom_call("t.log")
    def log(call: ts.CustomCall, x: np.ndarray[Any, Any]) -> None:
        logged.append(float(x))

    text = """
    func.func @main(%x: tensor<3x4xf32>, %s: tensor<f32>) -> (tensor<i32>, tensor<4xf64>, tensor<2x0xf32>) {
      %0:3 = stablehlo.custom_call @t.f(%x) : (tensor<3x4xf32>) -> (tensor<i32>, tensor<4xf64>, tensor<2x0xf32>)
      stablehlo.custom_call @t.log(%s) {has_side_effect = true} : (tensor<f32>) -> ()
      return %0#0, %0#1, %0#2 : tensor<i32>, tensor<4xf64>, tensor<2x0xf32>
    }"""
    index, total, empty = both(text, X, np.float32(2.5))
    assert index == 11 and total.tolist() == X.sum(0).tolist() and empty.shape == (2, 0)
    assert logged == [2.5, 2.5]


CONFIGURATIONS = {
    'backend_config = "text"': ("text", {}),
    'backend_config = {a = 1 : i64, b = 2.5 : f32, c = "s", d = [true, 3 : i8], e = dense<[1, 2]> : tensor<2xi16>}': (
        "",
        {"a": 1, "b": 2.5, "c": "s", "d": [True, 3], "e": [1, 2]},
    ),
    'backend_config = "", mhlo.backend_config = {k = 7 : ui8, n = array<i64: 4, 5>, f = 0x7F800000 : f32}': (
        "",
        {"k": 7, "n": [4, 5], "f": float("inf")},
    ),
}


@pytest.mark.parametrize("attributes", CONFIGURATIONS)
def test_configuration(attributes: str, tmp_path: Path) -> None:
    """What the program says of the call comes to the function, through the file of the artifact too."""
    found: list[CustomCall] = []

    @ts.custom_call("t.f")
    def f(call: ts.CustomCall, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found.append(call)
        return np.array(x)

    text = SIMPLE.replace("@t.f(%x)", f"@t.f(%x) {{api_version = 4 : i32, {attributes}}}")
    both(text, X)
    compiled(text).save(tmp_path / "a.tsl")
    ts.load(tmp_path / "a.tsl")["main"](X)
    config, expected = CONFIGURATIONS[attributes]
    for c in found:
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in c.attributes.items()}
        assert (c.config, plain, c.api_version) == (config, expected, 4)
    assert len(found) == 3


def test_layouts_and_aliases() -> None:
    """A column-major operand is column-major in memory; the result may be anything with the right elements."""

    @ts.custom_call("t.f")
    def f(call: ts.CustomCall, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        assert x.flags.f_contiguous and not x.flags.c_contiguous and y.flags.c_contiguous
        assert call.aliases == ((0, 1),) and call.result_layouts == ((0, 1),)
        return np.asfortranarray(x + 2 * y)

    text = call("""%r = stablehlo.custom_call @t.f(%x, %x) {
      operand_layouts = [dense<[0, 1]> : tensor<2xindex>, dense<[1, 0]> : tensor<2xindex>],
      result_layouts = [dense<[0, 1]> : tensor<2xindex>],
      output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 1,
      operand_tuple_indices = []>]} : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>""")
    (found,) = both(text, X)
    np.testing.assert_array_equal(found, 3 * X)


@pytest.mark.parametrize(
    "dtype", ["i1", "i4", "ui8", "i64", "f8E4M3FN", "bf16", "f16", "f64", "complex<f32>", "complex<f64>"]
)
def test_element_types(dtype: str) -> None:
    from tesselle.support.dtypes import DTYPES

    ts.custom_call("t.f")(lambda call, x: x[::-1])
    t = f"tensor<6x{dtype}>"
    text = f"func.func @main(%x: {t}) -> {t} {{ %r = stablehlo.custom_call @t.f(%x) : ({t}) -> {t} return %r : {t} }}"
    x = np.array([0, 1, 0, 0, 1, 1]).astype(DTYPES[dtype].numpy)
    found = ts.load(compiled(text))["main"](x)
    assert found.dtype == x.dtype and found.tobytes() == x[::-1].tobytes()


def test_in_loops_and_branches() -> None:
    ts.custom_call("t.f")(lambda call, x: np.roll(x, 1, axis=1))
    ts.custom_call("t.g")(lambda call, x: -x)
    text = """
    func.func @main(%x: tensor<3x4xf32>, %n: tensor<i32>) -> tensor<3x4xf32> {
      %zero = stablehlo.constant dense<0> : tensor<i32>
      %one = stablehlo.constant dense<1> : tensor<i32>
      %l:2 = stablehlo.while(%i = %zero, %y = %x) : tensor<i32>, tensor<3x4xf32> cond {
        %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %c : tensor<i1>
      } do {
        %a = stablehlo.custom_call @t.f(%y) : (tensor<3x4xf32>) -> tensor<3x4xf32>
        %b = stablehlo.add %a, %x : tensor<3x4xf32>
        %j = stablehlo.add %i, %one : tensor<i32>
        stablehlo.return %j, %b : tensor<i32>, tensor<3x4xf32>
      }
      %p = stablehlo.compare GT, %n, %one : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %r = "stablehlo.if"(%p) ({
        %a = stablehlo.custom_call @t.g(%l#1) : (tensor<3x4xf32>) -> tensor<3x4xf32>
        stablehlo.return %a : tensor<3x4xf32>
      }, {
        stablehlo.return %x : tensor<3x4xf32>
      }) : (tensor<i1>) -> tensor<3x4xf32>
      return %r : tensor<3x4xf32>
    }"""
    for n in (0, 1, 5):
        both(text, X, np.int32(n))


def test_dynamic_shapes() -> None:
    @ts.custom_call("t.f")
    def f(call: ts.CustomCall, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        (spec,) = call.results
        return np.resize(x, spec.shape)

    text = """
    func.func @main(%x: tensor<?xf32>) -> tensor<?x2xf32> {
      %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?xf32>) -> tensor<i32>
      %a = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
      %b = stablehlo.constant dense<2> : tensor<1xi32>
      %s = stablehlo.concatenate %a, %b, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
      %y = stablehlo.add %x, %x : tensor<?xf32>
      %r = stablehlo.custom_call @t.f(%y, %s) {indices_of_shape_operands = dense<[1]> : tensor<1xi64>}
        : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x2xf32>
      return %r : tensor<?x2xf32>
    }"""
    for count in (3, 5, 0):
        x = np.arange(count, dtype=np.float32)
        (found,) = both(text, x)
        np.testing.assert_array_equal(found, np.resize(x + x, (count, 2)))
    function = ts.load(compiled(text))["main"]
    for v in combinations("n"):
        x = np.arange(v["n"], dtype=np.float32)
        np.testing.assert_array_equal(function(x), np.resize(x + x, (v["n"], 2)))


def test_side_effects_keep_their_order() -> None:
    """Calls with a side effect are neither dropped nor exchanged; those without one are dropped when nobody asks."""
    order: list[str] = []
    ts.custom_call("t.log")(lambda call, x: order.append(call.config))
    ts.custom_call("t.g")(lambda call, x: order.append("dropped") or x)
    effect = "{has_side_effect = true, backend_config = "
    text = call(f"""
      %unused = stablehlo.custom_call @t.g(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>
      stablehlo.custom_call @t.log(%x) {effect}"a"}} : (tensor<3x4xf32>) -> ()
      %y = stablehlo.exponential %x : tensor<3x4xf32>
      stablehlo.custom_call @t.log(%y) {effect}"b"}} : (tensor<3x4xf32>) -> ()
      stablehlo.custom_call @t.log(%x) {effect}"c"}} : (tensor<3x4xf32>) -> ()
      %r = stablehlo.add %y, %y : tensor<3x4xf32>
      stablehlo.custom_call @t.log(%r) {effect}"d"}} : (tensor<3x4xf32>) -> ()""")
    function = ts.load(compiled(text))["main"]
    for _ in range(2):
        order.clear()
        function(X)
        assert order == ["a", "b", "c", "d"]


def test_many_calls_at_once() -> None:
    ts.custom_call("t.f")(lambda call, x: x * 2)
    function = ts.load(compiled(SIMPLE))["main"]
    futures = [function.submit(X + i) for i in range(16)]
    for i, future in enumerate(futures):
        np.testing.assert_array_equal(future.result(), (X + i) * 2)


def test_functions_given_to_load() -> None:
    artifact = compiled(SIMPLE, "t.f")
    program = ts.load(artifact, custom_calls={"t.f": lambda call, x: x + 1})
    np.testing.assert_array_equal(program["main"](X), X + 1)


# ------------------------------------------------------------------------------------------------ expansions


def test_an_expansion_replaces_the_call() -> None:
    @ts.custom_call_expansion("t.f")
    def square(op: Any, rw: Any) -> Any:
        return rw.insert(MultiplyOp(op.inputs[0], op.inputs[0])).result

    (found,) = both(SIMPLE, X)
    np.testing.assert_array_equal(found, X * X)
    assert not compiled(SIMPLE).manifest.host_functions


def test_an_expansion_may_leave_a_call_to_the_host() -> None:
    ts.custom_call_expansion("t.f")(lambda op, rw: None)
    ts.custom_call("t.f")(lambda call, x: x + 3)
    (found,) = both(SIMPLE, X)
    np.testing.assert_array_equal(found, X + 3)


def test_an_expansion_of_another_type_is_refused() -> None:
    ts.custom_call_expansion("t.f")(lambda op, rw: ())
    with pytest.raises(ts.VerifyError, match=r"custom_call.expansion\]: @t.f expands to \(\), its results are"):
        compiled(SIMPLE)


# ------------------------------------------------------------------------------------------------ what can go wrong


def test_unknown_targets() -> None:
    with pytest.raises(ts.Unsupported, match=r'@t.f is not known: register it with @tesselle.custom_call\("t.f"\)'):
        compiled(SIMPLE)
    for target, text in (
        ("tpu_custom_call", "is code for a GPU or TPU"),
        ("cu_threefry2x32_ffi", "is code for a GPU or TPU"),
        ("xla_ffi_python_cpu_callback", "calls back into the process that traced the program"),
    ):
        with pytest.raises(ts.Unsupported, match=text):
            compiled(SIMPLE.replace("t.f", target))
    module: Any = parse_module(SIMPLE)
    with pytest.raises(ts.Unsupported, match=r"@t.f is not known: register it"):
        interpret(module, "main", [X])


def test_loading_names_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.tsl"
    compiled(SIMPLE, "t.f").save(path)
    text = (
        r'a.tsl: calls @t.f \(at .*:1:\d+\), which is not registered: register it with @tesselle.custom_call\("t.f"\)'
    )
    with pytest.raises(ts.ArtifactError, match=text):
        ts.load(path)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            lambda call, x: x.astype(np.float64),
            r"@t.f: result 0 must be tensor<3x4xf32>, the function gave an array float64\[3, 4\]",
        ),
        (lambda call, x: x[0], r"@t.f: result 0 must be tensor<3x4xf32>, the function gave an array float32\[4\]"),
        (lambda call, x: None, "@t.f: expected 1 results, the function gave 0"),
        (lambda call, x: (x, x), "@t.f: expected 1 results, the function gave 2"),
        (lambda call: call, "@t.f failed: TypeError: .*takes 1 positional argument but 2 were given"),
        (
            lambda call, x: x.nothing,
            r"@t.f failed: AttributeError: .*'nothing'.*\(the call is at .*:1:\d+\), in <lambda> at",
        ),
        (lambda call, x: x.fill(0), "@t.f failed: ValueError: assignment destination is read-only"),
    ],
)
def test_functions_that_fail(function: Any, text: str) -> None:
    ts.custom_call("t.f")(function)
    program = ts.load(compiled(SIMPLE))
    for _ in range(2):
        with pytest.raises(ts.ExecutionError, match=text):
            program["main"](X)
    ts.custom_call("t.f")(lambda call, x: np.array(x))
    np.testing.assert_array_equal(ts.load(compiled(SIMPLE))["main"](X), X)


def test_an_interrupt_passes_through() -> None:
    def interrupted(call: ts.CustomCall, x: np.ndarray[Any, Any]) -> None:
        raise KeyboardInterrupt

    ts.custom_call("t.f")(interrupted)
    program = ts.load(compiled(SIMPLE))
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            program["main"](X)


def test_the_decorator_needs_a_name() -> None:
    with pytest.raises(ts.OptionError, match="needs the name of a target"):
        ts.custom_call(lambda call: None)  # type: ignore[type-var, arg-type]  # the mistake that is tested


def test_artifacts_before_host_functions_still_load() -> None:
    manifest = json.loads(compiled(call("%r = stablehlo.add %x, %x : tensor<3x4xf32>")).manifest.to_json())
    del manifest["host_functions"], manifest["variables"], manifest["initializer"]
    manifest["schema_version"] = [1, 0]
    assert Manifest.from_json(json.dumps(manifest)).host_functions == ()
    manifest["schema_version"] = [1, 1]
    with pytest.raises(ts.ArtifactError, match="host_functions: missing"):
        Manifest.from_json(json.dumps(manifest))
    manifest["host_functions"] = [{"target": "f", "config": "{]", "location": ""}]
    with pytest.raises(ts.ArtifactError, match=r"host_functions\[0\].config"):
        Manifest.from_json(json.dumps(manifest))


def test_a_program_with_calls_ends_with_its_process() -> None:
    """The functions go with the interpreter, whichever of them ends first."""
    script = """
    import numpy as np, tesselle as ts
    ts.custom_call("t.f")(lambda call, x: x + 1)
    text = "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> { %r = stablehlo.custom_call @t.f(%x)"
    text += " : (tensor<2xf32>) -> tensor<2xf32> return %r : tensor<2xf32> }"
    program = ts.load(ts.compile(text))
    future = program["main"].submit(np.zeros(2, np.float32))
    assert future.result().tolist() == [1, 1]
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
