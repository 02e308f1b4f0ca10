"""What core dialects add to the bytecode; `ir.bytecode.registry` imports these modules."""
