"""The embedded lab: the whole main job of the program on one machine, without hardware.

Nothing in `components/`, `model/` or `steps/` knows that this package exists.
"""
