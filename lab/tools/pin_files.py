"""Writes pinned versions to the files that repeat them: `make pins` (`--check` only compares).

`model/versions.py` owns the versions of Talos, Kubernetes and Cilium, `lab/tools/pins.py` those of the lab's
other tools. Go modules whose pins changed are tidied, which asks the module proxy.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.tools import golang
from lab.tools.pins import BY_NAME, LAB, SPECS
from lab.tools.progress import Progress
from model import schema
from model.versions import CILIUM, KUBERNETES, TALOS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

ROOT = LAB.parent
MISE = {
    "pulumi": "pulumi",
    "talosctl": "aqua:siderolabs/talos",
    "etcd": "aqua:etcd-io/etcd",
    "helm": "aqua:helm/helm",
    "kubectl": "aqua:kubernetes/kubernetes/kubectl",
    "kube-apiserver": "aqua:kubernetes/kubernetes/kube-apiserver",
    "kube-controller-manager": "aqua:kubernetes/kubernetes/kube-controller-manager",
    "kube-scheduler": "aqua:kubernetes/kubernetes/kube-scheduler",
}
"""Tools that mise's registries have: name of the tool → name there."""

_VERSION = r"v?\d+\.\d+\.\d+"


@dataclass(frozen=True, slots=True)
class Mention:
    """A version that a file repeats.

    Attributes:
        file: Path relative to the repository.
        before: Regular expression of what stands before the version on its line.
        version: What must stand there.
    """

    file: str
    before: str
    version: str

    def written(self, text: str) -> str:
        """Return the text with the version in every place.

        Raises:
            ValueError: the text has no such place.
        """
        changed, places = re.subn(
            rf"({self.before}){_VERSION}", rf"\g<1>{self.version}", text, flags=re.MULTILINE
        )
        # A pattern that no longer matches would let the file go stale without a word.
        if not places:
            raise ValueError(f"{self.file} has no version after {self.before!r}")
        return changed


def mentions() -> Iterator[Mention]:
    """Yield every place that repeats a pin."""
    for tool, name in MISE.items():
        yield Mention("mise.toml", rf'^"?{re.escape(name)}"? = "', BY_NAME[tool].version.removeprefix("v"))
    for key, version in (("talos", TALOS), ("kubernetes", KUBERNETES), ("cilium", CILIUM)):
        yield Mention("Pulumi.homelab.yaml", rf"^      {key}: ", version)
        yield Mention("Pulumi.homelab.yaml", rf"^      # {key.title()} release.*Default: ", version)
    for name, version in (("talosVersion", TALOS), ("kubernetesVersion", KUBERNETES)):
        yield Mention("lab/sim/README.md", rf'"{name}": "', version)
        settings = rf"^\t\t{name[0].upper()}{name[1:]}: +\""
        yield Mention("lab/sim/internal/settings/settings.go", settings, version)
    yield Mention("docs/cilium.md", r"\(default ", CILIUM)
    yield from _go_modules()


def _go_modules() -> Iterator[Mention]:
    for spec in SPECS:
        if spec.version:
            file = f"lab/{spec.module_dir}/go.mod"
            yield Mention(
                file, rf"^(?:require )?\t?{re.escape(module_of(spec.package, file))} ", spec.version
            )
    machinery = r"^\tgithub\.com/siderolabs/talos(?:/pkg/machinery)? "
    yield Mention("lab/sim/go.mod", machinery, TALOS)
    yield Mention("lab/go_modules/talos/go.mod", machinery, TALOS)
    # The staging modules of a Kubernetes release: v1.36.3 goes with v0.36.3.
    staging = r"^\tk8s\.io/\S+ => k8s\.io/\S+ "
    yield Mention("lab/go_modules/cluster/go.mod", staging, KUBERNETES.replace("v1.", "v0."))


def module_of(package: str, file: str) -> str:
    """Return the longest module path of a go.mod that holds the package.

    Raises:
        ValueError: no required module holds it.
    """
    required: list[str] = re.findall(
        r"^(?:require )?\t?(\S+) v\S+", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
    )
    # The longest, because Go modules nest and the inner one owns its packages.
    return max((module for module in required if f"{package}/".startswith(f"{module}/")), key=len)


def stale(places: Iterable[Mention], root: Path = ROOT) -> dict[str, str]:
    """Return the files that repeat another version, with the text that they should have.

    Raises:
        ValueError: a file has no such place any more.
    """
    wanted: dict[str, str] = {}
    for place in places:
        # A file can repeat several pins; each replacement starts from the one before.
        text = wanted.get(place.file) or (root / place.file).read_text(encoding="utf-8")
        wanted[place.file] = place.written(text)
    return {file: text for file, text in wanted.items() if text != (root / file).read_text(encoding="utf-8")}


def main(arguments: Sequence[str]) -> int:
    """Write the stale files, or with `--check` name them; return 1 if there were any to name."""
    found = stale(mentions())
    if list(arguments) == ["--check"]:
        for file in found:
            print(f"{file} repeats another version: run `make pins`", file=sys.stderr)
        # Both are asked, so that one run names everything that is stale.
        return max(schema.main(["--check"]), int(bool(found)))
    for file, text in found.items():
        (ROOT / file).write_text(text, encoding="utf-8")
        print(f"wrote {file}")
    _tidy(sorted({(ROOT / file).parent for file in found if file.endswith("go.mod")}))
    return schema.main([])


def _tidy(modules: Sequence[Path]) -> None:
    for module in modules:
        print(f"go mod tidy in {module.relative_to(ROOT)}")
        # Builds refuse to change go.mod; tidying is the one command that has to.
        environment = golang.environment(dict(os.environ)) | {"GOFLAGS": "-mod=mod"}
        subprocess.run([golang.find(Progress()), "mod", "tidy"], cwd=module, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
