"""`python -m tests.stacks` writes the stack files of all cases and removes those without one."""

from __future__ import annotations

from tests.stacks.base import STACKS, cases, text


def main() -> None:
    """Write the files."""
    wanted = cases()
    for folder in ("valid", "invalid"):
        (STACKS / folder).mkdir(exist_ok=True)
        for path in (STACKS / folder).glob("*.yaml"):
            if path.relative_to(STACKS) not in wanted:
                path.unlink()
    for path, case in wanted.items():
        (STACKS / path).write_text(text(case), encoding="utf-8")


if __name__ == "__main__":
    main()
