"""Whole stack files that must load, and those that must cause exactly the faults they name.

The files are what the tests read. `python -m tests.stacks` writes them from `cases/`, where each is a
small change of one base: a new key of the config does not mean a hundred edits by hand.
"""
