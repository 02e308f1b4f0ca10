"""The IR core: SSA values, operations, regions, types, attributes, and what builds, verifies and rewrites them.

Grammar of the IR, on one page:

    Region    = Block*
    Block     = BlockArgument* Op*
    Op        = name operands attributes successors regions -> OpResult*      at a Location
    Value     = OpResult | BlockArgument, has one Type and knows its uses
    Type      = DType | TensorType | VectorType | MemRefType | FunctionType | TupleType | TokenType | a dialect's own
    Attribute = bool | int | float | str | tuple | enum | Type | DenseElements | AffineMap | SymbolRef | a dialect's own
"""
