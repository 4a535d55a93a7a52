"""The integer step, as docs/numerics.md defines it: NumPy alone, without torch."""

NUMERICS = 1
"""Of which definition this is. Two machines with one number make the same stream."""
