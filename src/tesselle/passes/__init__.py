<<<<<<< HEAD
"""Passes: one folder per phase; the name of a file is the name of its pass and of its test."""
=======
"""Passes, in folders by phase. One pass, one file, one name: `convert-a-to-b` is `convert_a_to_b.py`."""
>>>>>>> main
