"""The commands of the command line, a module or a few of them each; `cli.py` runs them."""
