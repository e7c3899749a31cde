"""What every model of the stack config shares: strict types, no unknown keys, camelCase in YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A frozen part of the stack config; values are never echoed in errors, they may be secret."""

    model_config = ConfigDict(
        # pydantic would otherwise turn "6443" and "yes" into a number and a boolean.
        strict=True,
        # Components share these parts: none may change what another has read.
        frozen=True,
        # By default pydantic ignores unknown keys, and a misspelled one would leave the default in force.
        extra="forbid",
        alias_generator=to_camel,
        hide_input_in_errors=True,
    )
