"""vm IR -> the bytecode module of an artifact: register allocation and emission."""

from tesselle.codegen.vm.emit import emit_module

__all__ = ["emit_module"]
