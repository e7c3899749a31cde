"""`python -m tests.golden`: writes the golden files again; `git diff` then shows what the change means."""

from tests.golden.documents import GOLDEN, documents

if __name__ == "__main__":
    for old in GOLDEN.glob("*/*.yaml"):
        old.unlink()
    for path, text in documents():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
