"""Whole documents that the program makes of whole stack files, for a person to read and review.

`python -m tests.golden` writes them; the unit tests compare, the tests in this directory hand them to the
real talosctl and the real chart. They hold no secret: secrets are generated when a test needs them.
"""
