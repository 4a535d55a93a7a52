"""Ways to step sessions.

A kernel is made from a network. It steps any number of rows at once, and its result for a row
must not depend on the other rows, nor on their number.
"""
