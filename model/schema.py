"""JSON Schema of whole stack files, for editors: `python -m model.schema` writes it, `--check` compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from model.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = Path(__file__).resolve().parent.parent / "schemas" / "stack.schema.json"


class _Untitled(GenerateJsonSchema):
    """Leaves out titles, which only repeat the keys."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - the signature is pydantic's
        return False


def stack_schema() -> dict[str, Any]:
    """Return the schema of a `Pulumi.<stack>.yaml`: shapes only, no rule between parts."""
    cluster = Cluster.model_json_schema(schema_generator=_Untitled)
    definitions = cluster.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of the homelab project",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {
                    "homelab:cluster": cluster,
                    "homelab:talosSecrets": {
                        "description": "Existing Talos secrets: pulumi config set --secret talosSecrets.",
                        "type": "object",
                        "properties": {"secure": {"type": "string"}},
                        "required": ["secure"],
                        "additionalProperties": False,
                    },
                },
                # A misspelled key would otherwise be accepted by the editor and ignored by the program.
                "patternProperties": {"^homelab:(?!cluster$|talosSecrets$)": False},
                "required": ["homelab:cluster"],
            },
        },
        "required": ["config"],
        "$defs": definitions,
    }


def main(arguments: Sequence[str], target: Path = SCHEMA) -> int:
    """Write the schema, or with `--check` compare it with the file; return the exit code."""
    text = json.dumps(stack_schema(), indent=2, ensure_ascii=False) + "\n"
    if "--check" not in arguments:
        target.write_text(text, encoding="utf-8")
        return 0
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{target.name} is not what the model says: run python -m model.schema\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
