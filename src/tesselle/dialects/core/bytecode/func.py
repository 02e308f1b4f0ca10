"""Properties of func's operations that Tesselle has no use for, but that stand in the files."""

from __future__ import annotations

from tesselle.ir.bytecode.registry import PROPERTIES, properties

PROPERTIES["func.func"] = properties("arg_attrs? function_type no_inline? res_attrs? sym_name sym_visibility?")
PROPERTIES["func.call"] = properties("arg_attrs? callee no_inline? res_attrs?")
