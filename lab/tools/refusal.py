"""What `go` says when a module cannot be had. Pure."""

from __future__ import annotations

import re

_MODULE = re.compile(r"(?<![\w./-])([\w.-]+(?:/[\w.~!-]+)+)@(v[\w.+-]+)")
_SIGNS = (
    "404 Not Found",
    "410 Gone",
    "403 Forbidden",
    "is not available",
    "unknown revision",
    "no such host",
    "dial tcp",
    "i/o timeout",
    "connection refused",
    "module lookup disabled",
    "server response:",
    "bad request",
)


def refused_module(log: str) -> str | None:
    """Return the `module@version` whose download failed, None where the log shows another kind of failure.

    The last module before the sign on the line counts: the ones before it only say who asked for it.
    """
    for line in log.splitlines():
        at = min((line.find(sign) for sign in _SIGNS if sign in line), default=-1)
        if at < 0:
            continue
        modules = _MODULE.findall(line[:at]) or _MODULE.findall(line)
        if modules:
            return "@".join(modules[-1])
    return None
