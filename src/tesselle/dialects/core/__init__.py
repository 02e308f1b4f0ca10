"""MLIR's core dialects: builtin, func, arith, math, complex, scf, tensor, memref, vector. One file each."""
