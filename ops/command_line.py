"""Command line of ops: what to run, where to look, how to print."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clients.talos import process
from ops import config_check, credential_files, doctor, owners, render, sources, table, verify
from ops.sources import CannotCheckError, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model import Cluster

STATUSES = "exit status: 0 nothing failed, 1 something failed, 2 it could not be checked"


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except CannotCheckError as error:
        # A status of its own: a script must not take 'could not look' for 'nothing is wrong'.
        print(f"cannot check: {error}", file=sys.stderr)
        return table.CANNOT_CHECK
    return status


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="python -m ops", description=__doc__, epilog=STATUSES)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _verify(commands.add_parser("verify", help="does the cluster do what the config says", epilog=STATUSES))
    _doctor(commands.add_parser("doctor", help="what is wrong, and why", epilog=STATUSES))
    _owners(commands.add_parser("owners", help="who applies pools and policy", epilog=STATUSES))
    for name in _FILES:
        _credential(
            commands.add_parser(name, help=f"write the administrator's {name}", epilog=STATUSES), name
        )
    _render(commands.add_parser("render", help="write the files that Flux applies", epilog=STATUSES))
    config_check.add_options(
        commands.add_parser("config", help="check stack files, offline", epilog=STATUSES)
    )
    return top


def _place(options: argparse.Namespace) -> Place:
    return Place(
        project=options.project,
        stack=options.stack,
        config=options.config,
        kubeconfig=options.kubeconfig,
        talosconfig=options.talosconfig,
    )


def _where(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which cluster is meant."""
    parser.add_argument("--stack", default="", help="read config and credentials of this stack")
    parser.add_argument(
        "--project", type=Path, default=Path(), help="Pulumi project directory (default: here)"
    )
    parser.add_argument("--config", type=Path, help="stack file (default: Pulumi.STACK.yaml of the project)")
    parser.add_argument("--kubeconfig", type=Path, help="file to use instead of the stack's output")
    parser.add_argument("--talosconfig", type=Path, help="file to use instead of the stack's output")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _show(options: argparse.Namespace, rows: list[table.Row]) -> int:
    print(table.as_json(rows) if options.json else table.as_text(rows))
    return table.exit_status(rows)


def _verify(parser: argparse.ArgumentParser) -> None:
    _where(parser)
    parser.add_argument(
        "--probe", action="store_true", help="open the addresses from this machine: ARP, TCP, HTTP"
    )
    parser.set_defaults(run=_run_verify)


def _run_verify(options: argparse.Namespace) -> int:
    place = _place(options)
    cluster = sources.cluster(place)
    credentials = sources.credentials(place, sources.run_pulumi)
    rows = verify.verify(cluster, credentials, process.talosctl, verify.Scope(probe=options.probe))
    return _show(options, rows)


def _doctor(parser: argparse.ArgumentParser) -> None:
    _where(parser)
    parser.set_defaults(run=_run_doctor)


def _run_doctor(options: argparse.Namespace) -> int:
    now = datetime.now(tz=UTC)
    rows = doctor.doctor(_place(options), sources.run_pulumi, process.talosctl, now)
    return _show(options, list(rows))


def _owners(parser: argparse.ArgumentParser) -> None:
    _where(parser)
    parser.add_argument(
        "--clear",
        action="store_true",
        help="print the commands that take away what a former owner still holds",
    )
    parser.set_defaults(run=_run_owners)


def _run_owners(options: argparse.Namespace) -> int:
    place = _place(options)
    cluster = sources.cluster(place)
    # Owners stand in the Kubernetes API alone: without a talosconfig no node is asked.
    credentials = replace(sources.credentials(place, sources.run_pulumi), talosconfig="")
    seen = verify.look(cluster, credentials, process.talosctl)
    # Printed, not run: they change objects that a controller may be applying at this moment.
    if not options.clear:
        return _show(options, list(owners.rows(seen, cluster.load_balancer.owner)))
    for command in owners.commands(seen, cluster.load_balancer.owner):
        print(command)
    return table.ALL_PASS


_FILES = {
    "kubeconfig": ("KUBECONFIG", ".kube/config", credential_files.merged_kubeconfig),
    "talosconfig": ("TALOSCONFIG", ".talos/config", credential_files.merged_talosconfig),
}
"""Credentials by name: the variable that names the user's own file, its default, and how it is merged."""


def _credential(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--stack", required=True, help="the stack whose credentials are written")
    parser.add_argument(
        "--project", type=Path, default=Path(), help="Pulumi project directory (default: here)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="a file for it alone (default: merged into your own)"
    )
    run = partial(_run_credential, name)
    # The place is read from these too, though this command has no such options.
    parser.set_defaults(run=run, config=None, kubeconfig=None, talosconfig=None, json=False)


def _run_credential(name: str, options: argparse.Namespace) -> int:
    text = sources.stack_outputs(_place(options), sources.run_pulumi).get(name, "")
    if not text:
        raise CannotCheckError(f"stack {options.stack} has no {name} yet; `pulumi up` makes it")
    # The user's own file holds other clusters too, so it is merged, never replaced.
    variable, default, merge = _FILES[name]
    if options.output is None:
        print(credential_files.save(credential_files.own_file(os.environ, variable, default), text, merge))
    else:
        print(credential_files.save(options.output, text))
    return table.ALL_PASS


def _render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="", help="the stack whose config is rendered")
    parser.add_argument(
        "--project", type=Path, default=Path(), help="Pulumi project directory (default: here)"
    )
    parser.add_argument("--config", type=Path, help="stack file (default: Pulumi.STACK.yaml of the project)")
    parser.add_argument("--pool", type=Path, metavar="FILE", help=f"where {render.POOL_FILE} is kept")
    parser.add_argument("--release", type=Path, metavar="FILE", help=f"where {render.RELEASE_FILE} is kept")
    parser.add_argument("--check", action="store_true", help="compare the files instead of writing them")
    parser.set_defaults(run=_run_render, kubeconfig=None, talosconfig=None, json=False)


def _run_render(options: argparse.Namespace) -> int:
    cluster = sources.cluster(_place(options))
    files = [(path, text(cluster)) for path, text in _targets(options)]
    if options.check:
        return _show(options, [render.compare(path, text) for path, text in files])
    for path, text in files:
        print(render.write(path, text))
    return table.ALL_PASS


def _targets(options: argparse.Namespace) -> Sequence[tuple[Path, Callable[[Cluster], str]]]:
    """Return which files are meant: those that were named, else the pools' in the project directory."""
    chosen = [(options.pool, render.pool_file), (options.release, render.release_file)]
    named = [(path, text) for path, text in chosen if path is not None]
    return named or [(options.project / render.POOL_FILE, render.pool_file)]
