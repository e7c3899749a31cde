"""Section `versions` of the stack file: the pinned releases, and which releases go together."""

from pydantic import Field

from model.strict import Model
from model.types import PlainVersion, PrefixedVersion

Minor = tuple[int, int]

TALOS = "v1.13.0"
KUBERNETES = "v1.36.3"
CILIUM = "1.20.2"
"""The pinned releases: defaults of the stack file, and what the lab builds; `make pins` follows an edit."""

# Talos minor → first and last Kubernetes minor: `compatibility` in Talos's machinery module, 1.13.0.
# 1.11 is left out: it does not know the network documents (LinkConfig, HostnameConfig) the program writes.
TALOS_KUBERNETES: dict[Minor, tuple[Minor, Minor]] = {
    (1, 12): ((1, 30), (1, 35)),
    (1, 13): ((1, 31), (1, 36)),
}

# Cilium minor → first and last Kubernetes minor it is tested with: "Kubernetes Compatibility" in its
# documentation of each minor.
CILIUM_KUBERNETES: dict[Minor, tuple[Minor, Minor]] = {
    (1, 18): ((1, 30), (1, 33)),
    (1, 19): ((1, 32), (1, 35)),
    (1, 20): ((1, 33), (1, 36)),
}

# Cilium minor → release of the Gateway API whose types it is built with (go.mod of each minor).
GATEWAY_API: dict[Minor, str] = {(1, 18): "v1.3.0", (1, 19): "v1.4.0", (1, 20): "v1.6.1"}

# Before it, L2 announcements and `externalTrafficPolicy: Local` dropped traffic (cilium/cilium#46399).
LOCAL_TRAFFIC_POLICY_SINCE = (1, 20, 2)


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of `v1.13.0` or `1.20.2`."""
    # Compared as text, 1.9 would be newer than 1.20.
    return tuple(int(part) for part in version.removeprefix("v").split("."))


def minor(version: str) -> Minor:
    """Return major and minor of `v1.13.0` or `1.20.2`."""
    numbers = release(version)
    return numbers[0], numbers[1]


def written(version: Minor) -> str:
    """Return `1.13`."""
    return f"{version[0]}.{version[1]}"


class Versions(Model):
    """Pinned versions; the support matrix is checked before anything is created."""

    talos: PrefixedVersion = Field(default=TALOS, description="Talos release; talosctl's minor must match.")
    kubernetes: PrefixedVersion = Field(default=KUBERNETES, description="Kubernetes release.")
    cilium: PlainVersion = Field(default=CILIUM, description="Cilium release and version of its chart.")
