"""Whole stack files as small changes of one base: those that load, and those that must be refused.

`rules/X.yaml` has the cases of model/rules/X.py, each with the name of its rule, `shape/X.yaml` those of
model/X.py, `valid.yaml` what must load.
"""
