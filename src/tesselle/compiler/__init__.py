"""The compiler: `compile` makes an artifact of a program. `pipeline` lists all phases and passes."""

from tesselle.compiler.session import compile, compile_to_text

__all__ = ["compile", "compile_to_text"]
