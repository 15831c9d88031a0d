"""python -m visprior: as the command, with the current folder on the path for own classes."""

from visprior.cli import main

main()
