"""Passes, in folders by phase. One pass, one file, one name: `convert-a-to-b` is `convert_a_to_b.py`."""
