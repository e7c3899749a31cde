"""Checks stack files without Pulumi, a cluster or a network: a line for each fault and warning."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import config
from model.error_messages import path_of
from model.faults import Fault, Faults
from model.json_document import entries
from model.warnings import advice
from ops import sources
from ops.table import ALL_PASS, CANNOT_CHECK, SOME_FAIL

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What a stack file is worth.

    Attributes:
        file: As it was named.
        faults: `path: message`; with any of them nothing would be created.
        warnings: `path: message`; only for a file without faults.
        unreadable: Why there is nothing to check, or empty.
    """

    file: str
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unreadable: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add files and options of the command."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="stack file: Pulumi.STACK.yaml")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check the files, print what was found and return the exit status."""
    found = [check(file) for file in options.files]
    if options.json:
        print(
            json.dumps(
                {"files": [asdict(one) for one in found], "passed": status(found) == ALL_PASS}, indent=2
            )
        )
        return status(found)
    for one in found:
        _print(one)
    return status(found)


def _print(one: Checked) -> None:
    if one.unreadable:
        print(f"cannot check: {one.unreadable}", file=sys.stderr)
    elif not one.faults and not one.warnings:
        print(f"{one.file}: no fault, no warning")
    for kind, lines in (("fault", one.faults), ("warning", one.warnings)):
        for line in lines:
            print(f"{one.file}: {kind}: {line}")


def check(file: Path) -> Checked:
    """Return what is wrong with a stack file, and what is only unwise."""
    try:
        section = sources.section(file)
    except sources.CannotCheckError as error:
        return Checked(file=str(file), unreadable=str(error))
    # Before the model, which would only complain about a mapping where it expects a value.
    encrypted = list(encrypted_values(section))
    if encrypted:
        return Checked(file=str(file), faults=tuple(map(str, encrypted)))
    try:
        cluster = config.parse(sources.as_engine_json(section))
    except Faults as faults:
        return Checked(file=str(file), faults=faults.lines)
    return Checked(file=str(file), warnings=advice(cluster))


def encrypted_values(section: object) -> Iterator[Fault]:
    """Yield a fault for each value that `pulumi config set --secret --path` put into the cluster."""
    for path, value in entries(section):
        if isinstance(value, dict) and value.keys() == {"secure"}:
            yield Fault(path_of(path, section), f"is encrypted: {config.NO_SECRETS}")


def status(found: Sequence[Checked]) -> int:
    """Return 2 if a file could not be checked, else 1 if one has faults, else 0."""
    # First: a file that could not be read may hold faults that nobody has seen.
    if any(one.unreadable for one in found):
        return CANNOT_CHECK
    return SOME_FAIL if any(one.faults for one in found) else ALL_PASS
