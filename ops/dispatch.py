"""Entry of ops: the check of stack files starts without Pulumi, all else with it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ops import config_check

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    # A commit hook checks stack files: it must not wait for Pulumi's modules, which all other commands need.
    if list(arguments[:1]) == ["config"]:
        parser = argparse.ArgumentParser(prog="python -m ops config", description=config_check.__doc__)
        config_check.add_options(parser)
        return config_check.run(parser.parse_args(arguments[1:]))
    from ops import command_line  # noqa: PLC0415

    return command_line.main(arguments)
