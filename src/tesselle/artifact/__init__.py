"""The artifact `.tsl`: what the compiler writes and the runtime reads. Imports `tesselle.support` only."""
