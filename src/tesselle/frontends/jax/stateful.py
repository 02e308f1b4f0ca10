"""Several functions of JAX that share state: one program, whose variables are the leaves of a pytree."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from tesselle.dialects.core.builtin import ModuleOp
from tesselle.frontends.jax.merge import StatefulFunction, StateLeaf, changed_arguments, merge_functions
from tesselle.frontends.jax.pytrees import flatten, import_jax_module
from tesselle.support.diagnostics import Diagnostic, InvocationError, Unsupported, VerifyError
from tesselle.support.dtypes import from_numpy
from tesselle.support.locations import UNKNOWN, FileLocation, Location

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.$]")


class StatefulModule:
    """Functions over one state, a pytree of arrays; `tesselle.compile` takes it as a program.

    The leaves of `state` give the types and the initial values of the program's variables, one for each leaf. A
    variable is called by the path of its leaf, the keys joined by dots: `params.dense.kernel`, `layers.0.bias`. What no
    symbol may hold becomes `_`; a path that begins with a digit, and a state that is one array, begin with `state`.
    Python numbers are arrays of the type that JAX gives them. Arrays are not copied: do not write to them before the
    module is compiled.

    A leaf that no function changes is a constant of the program, which all sessions share. All others are variables
    of a session: they begin with the value given here and are updated in place.

        m = StatefulModule({"w": w, "steps": 0})
        m.add("train", train_step, x_spec, y_spec)           # train_step(state, x, y) -> (new_state, loss)
        m.add("infer", predict, x_spec, reads_only=True)     # predict(state, x) -> y
        program = tesselle.load(tesselle.compile(m))

    Errors: TypeError (a leaf that is no array), VerifyError (two leaves of one name), Unsupported (an element type
    that has no tensors).
    """

    def __init__(self, state: Any, *, name: str = "module") -> None:
        self.name = name
        leaves, self._tree = flatten(state)
        self._leaves: dict[str, np.ndarray[Any, Any]] = {}
        self._paths: dict[str, str] = {}
        for leaf in leaves:
            shown, symbol = f"state{leaf.path}", symbol_of(leaf.name)
            if symbol in self._leaves:
                message = f"{self._paths[symbol]} and {shown} would both be called '{symbol}'"
                raise VerifyError(message, rule="jax.state")
            self._leaves[symbol] = _array(leaf.value, shown)
            self._paths[symbol] = shown
        self._functions: dict[str, StatefulFunction] = {}

    @property
    def leaves(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """Name → initial value of every leaf, in the order of the tree."""
        return MappingProxyType(self._leaves)

    @property
    def variables(self) -> frozenset[str]:
        """The names of the leaves that some function changes."""
        return frozenset[str]().union(*(f.stored for f in self._functions.values()))

    def add(
        self,
        name: str,
        function: Callable[..., Any],
        *specs: Any,
        reads_only: bool = False,
        disabled_checks: Sequence[Any] = (),
    ) -> None:
        """Make `function` a function of the program, called `name`.

        function(state, *arguments) -> (new_state, results), or -> results with `reads_only`. `specs` describe the
        arguments: pytrees of `jax.ShapeDtypeStruct`, whose dimensions may be those of `jax.export.symbolic_shape`,
        or of arrays. The function is traced now. It sees arrays of the whole state; what it returns for a leaf becomes
        the leaf's value when the call ends. `disabled_checks` are those of `jax.export.export`.

        Errors: VerifyError (a new state of another structure, shape or element type, with the path of each leaf; a
        name that is taken), Unsupported (what JAX cannot export, such as callbacks; ordered effects), and those of JAX
        while it traces.
        """
        jax = import_jax_module()
        place = _place(function)
        if name in self._functions or name in self._leaves:
            what = "a function" if name in self._functions else "a leaf of the state"
            raise VerifyError(f"the name '{name}' is taken by {what}", place, "jax.name")
        state = self._tree.unflatten([jax.ShapeDtypeStruct(x.shape, x.dtype) for x in self._leaves.values()])
        export = import_jax_module("jax.export").export(
            jax.jit(function), platforms=("cpu",), disabled_checks=disabled_checks
        )
        try:
            exported = export(state, *specs)
        except NotImplementedError as error:
            raise Unsupported(f"JAX cannot export '{name}': {error}", place, "jax.export") from error
        if exported.ordered_effects:
            effects = ", ".join(map(str, exported.ordered_effects))
            raise Unsupported(f"'{name}' has effects that JAX orders by tokens: {effects}", place, "jax.export")
        outputs = exported.out_tree.unflatten(exported.out_avals)
        results = outputs if reads_only else self._check_state(name, place, outputs)
        names = list(self._leaves)
        changed = [] if reads_only else changed_arguments(exported, len(names))
        self._functions[name] = StatefulFunction(
            name=name,
            exported=exported,
            arguments=tuple(_argument_names(function, specs)),
            results=tuple("" if _is_position(leaf.name) else leaf.name for leaf in flatten(results)[0]),
            writes=not reads_only,
            stored=frozenset(names[i] for i in changed),
            location=place,
        )

    def to_module(self) -> ModuleOp:
        """The program as one verified module of StableHLO and ml_program. Errors: InvocationError (no function)."""
        if not self._functions:
            raise InvocationError(f"the stateful module '{self.name}' has no functions: add some first")
        leaves = [StateLeaf(name, value) for name, value in self._leaves.items()]
        return merge_functions(self.name, leaves, list(self._functions.values()))

    def to_dict(self, state: Any) -> dict[str, np.ndarray[Any, Any]]:
        """The variables' values in a state, as `Session.load_state_dict` takes them.

        Errors: VerifyError as in `add`, and where a leaf that is a constant of the program has another value.
        """
        leaves, tree = flatten(state)
        arrays = [_array(leaf.value, f"state{leaf.path}") for leaf in leaves]
        self._check_leaves("the given state", UNKNOWN, tree.unflatten(arrays))
        variables = self.variables
        for (name, constant), array in zip(self._leaves.items(), arrays, strict=True):
            if name not in variables and array is not constant and array.tobytes() != constant.tobytes():
                message = f"{self._paths[name]} is a constant of the program: no function changes it"
                raise VerifyError(message, rule="jax.state")
        return {name: array for name, array in zip(self._leaves, arrays, strict=True) if name in variables}

    def to_state(self, values: Mapping[str, np.ndarray[Any, Any]]) -> Any:
        """The state as a pytree, of what `Session.state_dict` gives; what `values` lacks has its initial value.

        Errors: KeyError (a name that is no leaf).
        """
        unknown = [name for name in values if name not in self._leaves]
        if unknown:
            raise KeyError(f"no leaf of the state is called '{unknown[0]}'")
        return self._tree.unflatten([values.get(name, initial) for name, initial in self._leaves.items()])

    def _check_state(self, name: str, place: Location, outputs: Any) -> Any:
        """The results beside the new state, which must have the types of the old one."""
        pair = cast("tuple[Any, ...]", outputs) if isinstance(outputs, tuple) else ()
        if len(pair) != 2:
            message = f"'{name}' must return (new_state, results): make it so, or say reads_only=True"
            raise VerifyError(message, place, "jax.state")
        new_state, results = pair
        self._check_leaves(f"'{name}'", place, new_state)
        return results

    def _check_leaves(self, who: str, place: Location, new_state: Any) -> None:
        """Hold the leaves of a new state against the variables. Errors: VerifyError with all differences."""
        leaves, tree = flatten(new_state)
        found = {f"state{leaf.path}": leaf.value for leaf in leaves}
        texts: list[str] = []
        for name, path in self._paths.items():
            if path not in found:
                texts.append(f"{who} drops {path} from the state")
                continue
            was, now = _type_text(self._leaves[name]), _type_text(found.pop(path))
            if was != now:
                texts.append(f"{who} changes {path} from {was} to {now}")
        texts.extend(f"{who} adds {path} to the state" for path in found)
        if not texts and tree != self._tree:
            texts.append(f"{who} changes the structure of the state from {self._tree} to {tree}")
        if texts:
            raise VerifyError.several([Diagnostic(text, place, "jax.state") for text in texts])


def symbol_of(path: str) -> str:
    """The name of the variable for a leaf at `path`: a symbol that MLIR writes without quotes."""
    name = _FORBIDDEN.sub("_", path)
    if not name:
        return "state"
    return name if name[0].isalpha() or name[0] == "_" else f"state.{name}"


def _array(leaf: Any, path: str) -> np.ndarray[Any, Any]:
    """A leaf as an array of the type that JAX would give it. Errors: TypeError, Unsupported."""
    jax = import_jax_module()
    if isinstance(leaf, jax.ShapeDtypeStruct):
        raise TypeError(f"{path} is a jax.ShapeDtypeStruct: it needs an initial value")
    try:
        aval: Any = jax.eval_shape(jax.numpy.asarray, leaf)
    except TypeError as error:
        raise TypeError(f"{path} is no array: {type(leaf).__name__}") from error
    if jax.dtypes.issubdtype(aval.dtype, jax.dtypes.extended):
        hint = "; keep jax.random.key_data(key)" if jax.dtypes.issubdtype(aval.dtype, jax.dtypes.prng_key) else ""
        raise Unsupported(f"{path} is of element type {aval.dtype}, which has no tensors{hint}", rule="jax.state")
    array = np.asarray(leaf, order="C").astype(aval.dtype, copy=False)
    try:
        from_numpy(array.dtype)
    except (KeyError, TypeError) as error:
        raise Unsupported(f"{path} is of element type {aval.dtype}, which has no tensors", rule="jax.state") from error
    return array


def _type_text(value: Any) -> str:
    return f"{np.dtype(value.dtype).name}[{','.join(str(d) for d in value.shape)}]"


def _is_position(name: str) -> bool:
    """Whether a leaf's name says its place among others and nothing more."""
    return name.replace(".", "").isdigit()


def _argument_names(function: Callable[..., Any], specs: Sequence[Any]) -> list[str]:
    """A name for every leaf of the arguments: the parameter's, and the path inside it."""
    try:
        bound = inspect.signature(function).bind(None, *specs)
        parameters = list(bound.signature.parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names: list[str] = []
    for i, spec in enumerate(specs):
        known = i + 1 < len(parameters) and parameters[i + 1].kind is not inspect.Parameter.VAR_POSITIONAL
        base = parameters[i + 1].name if known else f"arg{i}"
        names.extend(f"{base}.{leaf.name}" if leaf.name else base for leaf in flatten(spec)[0])
    return names


def _place(function: Callable[..., Any]) -> Location:
    """Where `function` is defined, if it is known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return UNKNOWN if code is None else FileLocation(code.co_filename, code.co_firstlineno, 1)
