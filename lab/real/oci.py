"""Container images as files: written once into a directory that the registry serves. Pure Python, no engine.

Formats: image manifest, configuration and layer of the OCI image specification 1.1. Layers stay uncompressed:
they are read over a bridge of the same machine, where compressing costs more than it saves.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Image:
    """One image: a tree of files, what it runs, and the names it is asked for by (repository, tag)."""

    root: Path
    names: tuple[tuple[str, str], ...]
    entrypoint: tuple[str, ...] = ()
    environment: tuple[str, ...] = field(default=("PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",))


@dataclass(frozen=True)
class Store:
    """A directory of blobs by digest and of manifests by repository and tag."""

    directory: Path

    def blob(self, digest: str) -> Path:
        """Return where a blob lies or will lie; `digest` is `sha256:…`."""
        return self.directory / "blobs" / digest.removeprefix("sha256:")

    def tag(self, repository: str, tag: str) -> Path:
        """Return the file that holds the digest of a tagged manifest."""
        return self.directory / "tags" / repository / tag

    def add(self, image: Image) -> None:
        """Write an image's layer, configuration and manifest, then its names."""
        layer, size = self._write_layer(image.root)
        config = self._write_json(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Entrypoint": list(image.entrypoint), "Env": list(image.environment)},
                "rootfs": {"type": "layers", "diff_ids": [layer]},
            }
        )
        manifest, _ = self._write_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": config[0], "size": config[1]},
                "layers": [{"mediaType": LAYER, "digest": layer, "size": size}],
            }
        )
        for repository, tag in image.names:
            path = self.tag(repository, tag)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Names come last: a pull in between finds the old image or all parts of the new one.
            path.write_text(manifest)

    def prune(self) -> None:
        """Remove blobs that no tag leads to any more."""
        kept: set[str] = set()
        for tag in (path for path in (self.directory / "tags").rglob("*") if path.is_file()):
            digest = tag.read_text()
            manifest = json.loads(self.blob(digest).read_text())
            kept |= {digest, manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
        # Each change of a tool leaves a layer behind, and the agent's alone has hundreds of megabytes.
        for blob in (self.directory / "blobs").iterdir():
            if f"sha256:{blob.name}" not in kept:
                blob.unlink()

    def _write_layer(self, root: Path) -> tuple[str, int]:
        temporary = self.directory / "layer.tar"
        temporary.parent.mkdir(parents=True, exist_ok=True)
        # PAX, because the older formats limit the length of paths and the size of files.
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
            for path in entries(root):
                archive.add(path, arcname=str(path.relative_to(root)), recursive=False, filter=_owned_by_root)
        with temporary.open("rb") as stream:
            digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        size = temporary.stat().st_size
        target = self.blob(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(target)
        return digest, size

    def _write_json(self, document: dict[str, object]) -> tuple[str, int]:
        # Sorted: the digest is the identity, so the same content must give the same bytes.
        text = json.dumps(document, sort_keys=True).encode()
        digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
        target = self.blob(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
        return digest, len(text)


def entries(root: Path) -> Iterator[Path]:
    """Yield everything below `root` in a fixed order, directories before what is in them."""
    for path in sorted(root.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from entries(path)


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 0  # the same files make the same digest
    return entry
