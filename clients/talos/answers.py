"""What talosctl's answers mean: pure functions over its exit status, stdout and stderr."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clients.talos.process import Result

_LONGEST = 600  # characters of an error text worth showing
_CHATTER = "generating PKI and tokens"  # stands before every message of `gen config`
_CODE = re.compile(r"code = (\w+)")
_WRAPPED = re.compile(r'connection error: desc = "(?:transport: )?(?:Error while dialing: )?([^"]*)"')
_KEY = re.compile(r"^[+-]\s*(?:- )*([A-Za-z][\w./-]*):")
_HEADING = re.compile(r"\S+(?: \S+)*")
_MEMBER_COLUMNS = frozenset({"ID", "LEARNER"})


class Kind(Enum):
    """What to do about a failed call."""

    TRANSIENT = "try again"
    EXISTS = "somebody did it before"
    NEEDS_REBOOT = "refused, because the change needs a reboot"
    FINAL = "trying again does not help"


# A certificate that does not fit comes with the code Unavailable, but no time will heal it.
FINGERPRINT_DIFFERS = "leaf peer certificate doesn't match the provided fingerprints"
_FINAL_TEXTS = (
    FINGERPRINT_DIFFERS,
    "certificate signed by unknown authority",
    "tls: certificate required",
    "tls: unknown certificate authority",
    "tls: bad certificate",
    "tls: expired certificate",
    "method is not supported in",
)
_TRANSIENT_TEXTS = (
    "certificate has expired or is not yet valid",  # clocks differ until the node has set its own
    "connection refused",
    "connection reset by peer",
    "i/o timeout",
    "no route to host",
    "network is unreachable",
    "error reading server preface",
    "broken pipe",
)
_TRANSIENT_CODES = frozenset(
    {"Unavailable", "FailedPrecondition", "DeadlineExceeded", "ResourceExhausted", "Aborted"}
)


def classify(result: Result) -> Kind:
    """Return what to do about a call that failed; texts first, because codes of gRPC are coarser."""
    if result.status is None:
        return Kind.TRANSIENT
    text = result.stderr
    if "can't be applied in immediate mode" in text:
        return Kind.NEEDS_REBOOT
    # Before the codes: gRPC reports a wrong certificate as Unavailable.
    if any(final in text for final in _FINAL_TEXTS):
        return Kind.FINAL
    code = _CODE.search(text)
    name = code[1] if code else ""
    if name == "AlreadyExists":
        return Kind.EXISTS
    transient = name in _TRANSIENT_CODES or any(words in text for words in _TRANSIENT_TEXTS)
    return Kind.TRANSIENT if transient else Kind.FINAL


def words(result: Result) -> str:
    """Return Talos' own words about a failure on one line, without usage text and config diff."""
    if result.status is None:
        return "no answer within the time limit of the call"
    text = result.stderr.split("\ndiff:", 1)[0].split("\nUsage:", 1)[0]
    line = re.sub(r"\s+", " ", text.replace(_CHATTER, "")).strip()
    line = _WRAPPED.sub(r"\1", re.sub(r"rpc error: code = (\w+) desc = ", r"\1: ", line))
    if not line:
        return f"exit status {result.status} without any output"
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def changed_fields(stderr: str) -> tuple[str, ...]:
    """Return the names of the fields that a config diff adds or removes, in order, without any value."""
    diff = stderr.split("\ndiff:", 1)[-1].splitlines()
    # Names only: the values of a machine config are keys and tokens.
    changed = (line for line in diff if not line.startswith(("+++", "---")))
    names = (match[1] for line in changed if (match := _KEY.match(line)))
    return tuple(dict.fromkeys(names))


def json_stream(text: str) -> list[dict[str, Any]]:
    """Return the objects of talosctl's JSON output, which follow one another without a list around them.

    Raises:
        ValueError: the text is not such a stream.
    """
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    rest = text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        if not isinstance(value, dict):
            raise ValueError("expected JSON objects")  # noqa: TRY004 - one kind of error for the caller
        found.append(value)
        rest = rest[end:].lstrip()
    return found


def client_minor(stdout: str) -> tuple[int, int] | None:
    """Return major and minor out of `talosctl version --client --short`, or None."""
    match = re.search(r"\bv(\d+)\.(\d+)\.\d+", stdout)
    return (int(match[1]), int(match[2])) if match else None


def etcd_member_ids(table: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """Return the ids of the voting members and of the learners out of `talosctl etcd members`, or None.

    talosctl offers no other output for it. Cells stand below their heading; a member that has only just been
    added has no name yet, so cells cannot be counted.
    """
    lines = [line for line in table.splitlines() if line.strip()]
    starts = {match[0]: match.start() for match in _HEADING.finditer(lines[0])} if lines else {}
    if not starts.keys() >= _MEMBER_COLUMNS:
        return None
    rows = [(_cell(line, starts["ID"]), _cell(line, starts["LEARNER"])) for line in lines[1:]]
    if not rows or any(not identity or learner not in {"true", "false"} for identity, learner in rows):
        return None
    voting = frozenset(identity for identity, learner in rows if learner == "false")
    return voting, frozenset(identity for identity, _ in rows) - voting


def _cell(line: str, start: int) -> str:
    """Return the word at a column of a table, or nothing."""
    return line[start:].partition(" ")[0]
