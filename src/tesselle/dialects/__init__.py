"""The dialects: declarations of operations, their types and attributes, and their text."""
