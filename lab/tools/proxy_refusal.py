"""What `go` says when a module is not available. Pure."""

from __future__ import annotations

import re

_MODULE = re.compile(r"(?<![\w./-])([\w.-]+(?:/[\w.~!-]+)+)@(v[\w.+-]+)")
_SIGN = re.compile(
    r": reading \S+: [45]\d\d\b|server response:|is not available|unknown revision"
    r"|bad request|no such host|dial tcp|i/o timeout|connection refused|module lookup disabled"
)
# Where the line itself names nothing: what go set out to download, or what `go mod download -json` answers.
_ANNOUNCED = re.compile(r'go: downloading (\S+) (v\S+)|"Path": "(\S+)",\s+"Version": "(v\S+)"')


def refused_module(log: str) -> str | None:
    """Return the `module@version` whose download failed, None where the log shows another kind of failure.

    The last module before the sign on the line counts: the ones before it only say who asked for it.
    """
    before = ""
    for line in log.splitlines(keepends=True):
        sign = _SIGN.search(line)
        if sign:
            named = _MODULE.findall(line[: sign.start()]) or _MODULE.findall(line)
            modules = ["@".join(module) for module in named] or announced(before)
            if modules:
                return modules[-1]
        before += line
    return None


def announced(log: str) -> list[str]:
    """Return each `module@version` that `go` set out to download, in order, once."""
    modules = ((found[0] or found[2], found[1] or found[3]) for found in _ANNOUNCED.findall(log))
    return list(dict.fromkeys("@".join(module) for module in modules))
