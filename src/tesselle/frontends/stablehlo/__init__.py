"""StableHLO programs from files, texts and bytes."""

from tesselle.frontends.stablehlo.importer import BYTECODE_MAGIC, import_source

__all__ = ["BYTECODE_MAGIC", "import_source"]
