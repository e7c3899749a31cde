"""The lab's tools: found on PATH, else in a per-user cache, else built from their Go modules.

`ensure` returns paths; `python -m lab.tools` does the same from a terminal.
"""

from lab.tools.run import Interrupted, ToolsError, ensure

__all__ = ["Interrupted", "ToolsError", "ensure"]
