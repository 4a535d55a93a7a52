"""Ways to step a tile of sessions.

A kernel is made from a network, has a fixed `tile` of rows, and its result for a row must not
depend on the other rows, nor on which lane of the tile the row stands in.
"""
