"""Machine code through LLVM: kernel IR to LLVM IR text, to objects in worker processes, to one flat image.

    target.py       the processors
    translate.py    kernel IR (func, scf, arith, math, memref, vector) -> LLVM IR text
    vector_math.py  exp, log, tanh, … as LLVM IR, with stated errors
    workers.py      LLVM IR text -> object files, in parallel worker processes, cached on disk
    link.py         object files -> flat image

Nothing here imports llvmlite except the worker program and `cpu_target("host")`.
"""
