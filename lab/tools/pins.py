"""The table of tools: what each is, where it comes from, and which versions fit.

Talos, Kubernetes and Cilium are the releases of `model/versions.py`. `make pins` writes all of them to the
files that repeat them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lab.tools.version_ranges import VersionRange, minor
from model.versions import CILIUM, GATEWAY_API, KUBERNETES, TALOS
from model.versions import minor as minor_of

LAB: Final = Path(__file__).resolve().parent.parent

GO_MINIMUM: Final = (1, 26, 1)
GO_WHEEL: Final = "1.26.6"

_CILIUM: Final = f"v{CILIUM}"
_PULUMI: Final = "v3.259.0"
_KWOK: Final = "v0.8.0"
_HELM: Final = "v3.22.0"
_CONTAINERD: Final = "v2.2.2"
_FLUX: Final = "github.com/fluxcd"
_FLUX_VERSION: Final = "v1.9.6"


@dataclass(frozen=True, slots=True)
class Spec:
    """One tool.

    Attributes:
        name: File name of the binary, also its name on PATH.
        module_dir: Directory of the Go module to build in, relative to `lab/`.
        package: Go package of the binary; for a copied directory, the Go module that holds it.
        version: Pinned version with a leading `v`; empty for the lab's own programs, known by a digest of
            their sources.
        accepts: Versions that fit on PATH; None where the tool is never taken from PATH.
        version_args: Arguments that make the tool print its version.
        variables: String variables set by the linker.
        tags: Build tags.
        directory: Directory of the module to copy instead of building a binary.
        optional: Only provided when asked for by name.
    """

    name: str
    module_dir: str
    package: str
    version: str = ""
    accepts: VersionRange | None = None
    version_args: tuple[str, ...] = ("--version",)
    variables: tuple[tuple[str, str], ...] = ()
    tags: str = ""
    directory: str = ""
    optional: bool = False

    @property
    def title(self) -> str:
        """Name and version as shown to people."""
        return f"{self.name} {self.version or '(lab)'}"

    @property
    def by_hand(self) -> str:
        """What a person can do where the module proxy refuses."""
        if self.accepts is None:
            return "make the Go module reachable (GOPROXY) and run again"
        return f"install {self.name} {self.accepts} on PATH"


def _near(kubernetes: str) -> VersionRange:
    """Return the versions of kubectl that Kubernetes supports with this API server: one minor either way."""
    major, number = minor_of(kubernetes)
    # The upper bound is excluded, hence two.
    return VersionRange((major, number - 1, 0), (major, number + 2, 0))


def _kubernetes(name: str, accepts: VersionRange, *version_args: str) -> Spec:
    """Return the spec of a program of Kubernetes; Cilium's operator refuses an API server without version."""
    version_package = "k8s.io/component-base/version"
    major, number, _ = KUBERNETES.removeprefix("v").split(".")
    return Spec(
        name=name,
        module_dir="go_modules/cluster",
        package=f"k8s.io/kubernetes/cmd/{name}",
        version=KUBERNETES,
        accepts=accepts,
        version_args=version_args or ("--version",),
        variables=(
            (f"{version_package}.gitVersion", KUBERNETES),
            (f"{version_package}.gitMajor", major),
            (f"{version_package}.gitMinor", number),
            (f"{version_package}.gitTreeState", "clean"),
        ),
    )


def _cilium(name: str, package: str) -> Spec:
    """Return the spec of a program of the Cilium agent's image."""
    return Spec(
        name=name,
        module_dir="go_modules/cluster",
        package=f"github.com/cilium/cilium/{package}",
        version=_CILIUM,
        variables=(("github.com/cilium/cilium/pkg/version.ciliumVersion", _CILIUM.removeprefix("v")),),
        tags="osusergo",
        optional=True,
    )


def _node(name: str, package: str, version: str, directory: str = "") -> Spec:
    """Return the spec of a part of a real Talos node's root file system."""
    return Spec(
        name, "go_modules/talos", package=package, version=version, directory=directory, optional=True
    )


def _flux_kinds(name: str, module_dir: str, controller: str) -> Spec:
    """Return the spec of the resource kinds of a Flux controller."""
    package = f"{_FLUX}/{controller}"
    return Spec(name, module_dir, package, _FLUX_VERSION, directory="config/crd/bases", optional=True)


def _own(name: str, module_dir: str, package: str = "", *, optional: bool = False) -> Spec:
    return Spec(name, module_dir, package or f"./cmd/{name}", version_args=(), optional=optional)


# In the order in which a run needs them: the first ones are built first.
SPECS: Final[tuple[Spec, ...]] = (
    Spec(
        name="pulumi",
        module_dir="go_modules/pulumi",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        version=_PULUMI,
        accepts=VersionRange((3, 259, 0), (4, 0, 0)),
        version_args=("version",),
        variables=(("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", _PULUMI),),
    ),
    Spec(
        name="talosctl",
        module_dir="go_modules/talos",
        package="github.com/siderolabs/talos/cmd/talosctl",
        version=TALOS,
        accepts=minor(*minor_of(TALOS)),
        version_args=("version", "--client", "--short"),
    ),
    _kubernetes("kube-apiserver", minor(*minor_of(KUBERNETES))),
    Spec(
        name="etcd",
        module_dir="go_modules/etcd",
        package="go.etcd.io/etcd/server/v3",
        version="v3.6.9",
        accepts=minor(3, 6),
    ),
    _kubernetes("kubectl", _near(KUBERNETES), "version", "--client"),
    _kubernetes("kube-controller-manager", minor(*minor_of(KUBERNETES))),
    _kubernetes("kube-scheduler", minor(*minor_of(KUBERNETES))),
    Spec(
        name="kwok",
        module_dir="go_modules/cluster",
        package="sigs.k8s.io/kwok/cmd/kwok",
        version=_KWOK,
        accepts=minor(0, 8),
        variables=(("sigs.k8s.io/kwok/pkg/consts.Version", _KWOK),),
    ),
    Spec(
        name="helm",
        module_dir="go_modules/cluster",
        package="helm.sh/helm/v3/cmd/helm",
        version=_HELM,
        accepts=VersionRange((3, 18, 0), (4, 0, 0)),
        version_args=("version", "--short"),
        variables=(
            ("helm.sh/helm/v3/internal/version.version", _HELM),
            # Without these `helm template` renders for Kubernetes 1.20, which the Cilium chart refuses.
            ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor", KUBERNETES.split(".")[0].removeprefix("v")),
            ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor", KUBERNETES.split(".")[1]),
        ),
    ),
    Spec(
        name="cilium-chart",
        module_dir="go_modules/cluster",
        package="github.com/cilium/cilium",
        version=_CILIUM,
        directory="install/kubernetes/cilium",
    ),
    Spec(
        name="cilium-operator-generic",
        module_dir="go_modules/cluster",
        package="github.com/cilium/cilium/operator",
        version=_CILIUM,
        accepts=minor(*minor_of(CILIUM)),
        variables=(("github.com/cilium/cilium/pkg/version.ciliumVersion", _CILIUM.removeprefix("v")),),
        tags="osusergo,ipam_provider_operator",
    ),
    _own("talos-sim", "sim", "."),
    # Built only where the real plugins are not available: `lab.tools.provider_plugins` decides.
    _own("pulumi-resource-command", "plugins", optional=True),
    _own("pulumi-resource-kubernetes", "plugins", optional=True),
    # Real nodes and the real Cilium agent: only `make lab-real` asks for them.
    _node("machined", "github.com/siderolabs/talos/internal/app/machined", TALOS),
    _node("talos-hack", "github.com/siderolabs/talos", TALOS, directory="hack"),
    _node("talos-version", "github.com/siderolabs/talos/pkg/machinery", TALOS, directory="version"),
    _node("containerd", "github.com/containerd/containerd/v2/cmd/containerd", _CONTAINERD),
    _node(
        "containerd-shim-runc-v2",
        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
        _CONTAINERD,
    ),
    _node("cni-loopback", "github.com/containernetworking/plugins/plugins/main/loopback", "v1.9.1"),
    # Never from PATH: it goes into an image, where one of a distribution may lack its libraries.
    replace(_kubernetes("kubelet", minor(*minor_of(KUBERNETES))), accepts=None, optional=True),
    _cilium("cilium-agent", "daemon"),
    _cilium("cilium-dbg", "cilium-dbg"),
    _cilium("cilium-cni", "plugins/cilium-cni"),
    _cilium("cilium-health-responder", "cilium-health/responder"),
    _cilium("cilium-mount", "tools/mount"),
    _cilium("cilium-sysctlfix", "tools/sysctlfix"),
    *(
        Spec(
            name,
            "go_modules/cluster",
            "github.com/cilium/cilium",
            _CILIUM,
            directory=directory,
            optional=True,
        )
        for name, directory in (
            ("cilium-bpf", "bpf"),
            ("cilium-cni-scripts", "plugins/cilium-cni"),
            ("cilium-image-scripts", "images/cilium"),
        )
    ),
    # The kinds of the Gateway API that this Cilium is built with: for the tests of Gateways.
    Spec(
        name="gateway-kinds",
        module_dir="go_modules/cluster",
        package="sigs.k8s.io/gateway-api",
        version=GATEWAY_API[minor_of(CILIUM)],
        directory="config/crd/standard",
        optional=True,
    ),
    _own("coredns", "go_modules/coredns", ".", optional=True),
    _own("lab-node-init", "real/go", optional=True),
    _own("lab-runc", "real/go", optional=True),
    _own("lab-http", "real/go", optional=True),
    # The controller that applies pools where Flux owns them: only the test of the handover asks for it.
    Spec(
        "kustomize-controller",
        "go_modules/flux",
        f"{_FLUX}/kustomize-controller",
        _FLUX_VERSION,
        optional=True,
    ),
    _flux_kinds("flux-kinds", "go_modules/flux", "kustomize-controller"),
    _flux_kinds("flux-source-kinds", "go_modules/flux-crds", "source-controller"),
)

BY_NAME: Final = {spec.name: spec for spec in SPECS}


def select(names: list[str] | None) -> list[Spec]:
    """Return the specs of `names` in build order; all that are not optional for None.

    Raises:
        ValueError: a name is not in the table.
    """
    if names is None:
        return [spec for spec in SPECS if not spec.optional]
    unknown = sorted(set(names) - set(BY_NAME))
    if unknown:
        raise ValueError(f"unknown tool {', '.join(unknown)}; known: {', '.join(BY_NAME)}")
    return [spec for spec in SPECS if spec.name in names]
