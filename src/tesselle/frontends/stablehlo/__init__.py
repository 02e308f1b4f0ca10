"""StableHLO programs from files, texts and bytes."""

from tesselle.frontends.stablehlo.importer import import_source, map_file, read_module

__all__ = ["import_source", "map_file", "read_module"]
