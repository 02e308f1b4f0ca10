"""Pretty forms of the core dialects, one module for each."""
