"""Stands in for talosctl on PATH: writes down what it was given and does what FAKE.json beside it says.

FAKE.json holds `{"<first words>": {"stdout", "stderr", "status", "hang"}}`; the longest matching key counts.
"""

import json
import os
import stat
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def read(path: str) -> str:
    """Return what stands behind a path, which may be opened more than once."""
    return Path(path).read_text(encoding="utf-8")


def data_files() -> dict[str, str]:
    """Return the contents of every /dev/fd/N that an argument names."""
    paths = ["/dev/fd/" + word.rpartition("/dev/fd/")[2] for word in sys.argv if "/dev/fd/" in word]
    return {path: read(path) for path in paths}


def modes() -> list[str]:
    """Return the permissions of every data file."""
    numbers = [int(path.rpartition("/")[2]) for path in data_files()]
    return [oct(stat.S_IMODE(os.fstat(number).st_mode)) for number in numbers]


def names() -> list[int]:
    """Return the number of names that every data file has on disk."""
    return [os.fstat(int(path.rpartition("/")[2])).st_nlink for path in data_files()]


def main() -> int:
    """Write the call down, then answer."""
    record = {
        "argv": sys.argv[1:],
        "environment": dict(os.environ),
        "stdin": sys.stdin.read(),
        "cwd": str(Path.cwd()),
        "data": data_files(),
        "again": list(data_files().values()),
        "modes": modes(),
        "names": names(),
        "pid": os.getpid(),
    }
    with (HERE / "calls.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    plain = " ".join(word for word in sys.argv[1:] if not word.startswith("-"))
    answers = json.loads((HERE / "FAKE.json").read_text(encoding="utf-8"))
    answer = answers[max((key for key in answers if plain.startswith(key)), key=len)]
    sys.stdout.write(answer.get("stdout", ""))
    sys.stderr.write(answer.get("stderr", ""))
    sys.stdout.flush()
    sys.stderr.flush()
    time.sleep(answer.get("hang", 0))
    return int(answer.get("status", 0))


if __name__ == "__main__":
    sys.exit(main())
