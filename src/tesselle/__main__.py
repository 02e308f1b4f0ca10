"""`python -m tesselle` is the `tesselle` command."""

from tesselle.cli import main

main()
