"""The dialects: `core` holds MLIR's own that we read and write; the others stand each in a folder of its name."""
