"""The dialects that every phase shares: builtin, func, arith, math, scf, tensor, memref, vector, ml_program."""
