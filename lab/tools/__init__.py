"""The lab's tools: found on PATH, else in a per-user cache, else built from their Go modules.

`ensure` returns paths of named tools, `provide` everything that a lab run needs; `python -m lab.tools` does
both from a terminal.
"""

from lab.tools.parts import Part, Provided, provide
from lab.tools.provider_plugins import Plugin
from lab.tools.provisioning import Interrupted, ToolsError, ensure

__all__ = ["Interrupted", "Part", "Plugin", "Provided", "ToolsError", "ensure", "provide"]
