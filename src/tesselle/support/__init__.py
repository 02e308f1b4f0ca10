"""Ground floor of Tesselle: element types, source locations, diagnostics, options. Imports nothing of the project."""
