"""The commands of the command line, one or a few in each module; `cli.py` runs them."""
