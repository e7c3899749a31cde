"""How a step ends when it does not succeed."""

from __future__ import annotations


class OperationError(Exception):
    """A step failed; the text is for the person who ran `pulumi up`.

    Attributes:
        check: what to look at next, or empty.
    """

    def __init__(self, message: str, check: str = "") -> None:
        super().__init__(message)
        self.check = check

    def __str__(self) -> str:
        """Return the message, then the advice on a line of its own."""
        message = str(self.args[0])
        return f"{message}\ncheck: {self.check}" if self.check else message


class Stopped(BaseException):
    """The step was told to stop by a signal; no handler of ordinary errors may swallow it."""

    def __init__(self, signal_number: int, signal_name: str) -> None:
        super().__init__(signal_name)
        self.signal_number = signal_number
        self.signal_name = signal_name
