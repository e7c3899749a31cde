"""Section `timeouts` of the stack file: how long each gate waits."""

from pydantic import Field

from model.strict import Model
from model.types import Seconds


class Timeouts(Model):
    """How long each gate waits before it says what is missing."""

    # Servers take minutes to get through their firmware.
    reachable: Seconds = Field(default=600.0, description="A node answers in maintenance mode or as ours.")
    configured: Seconds = Field(default=1200.0, description="Applied, installed, rebooted, secure API up.")
    bootstrap: Seconds = Field(default=600.0, description="etcd is told to form a cluster, once.")
    etcd: Seconds = Field(default=600.0, description="Every control plane is a healthy etcd member.")
    api: Seconds = Field(default=600.0, description="The Kubernetes API answers at the endpoint.")
    # Every node pulls the images at the same time, often over one home connection.
    cilium: Seconds = Field(default=900.0, description="Cilium is released and rolled out.")
    crds: Seconds = Field(default=300.0, description="Pool and policy kinds are established.")
    nodes: Seconds = Field(default=600.0, description="Every node is Ready.")
    pool: Seconds = Field(default=120.0, description="The pools have no conflict.")
    address: Seconds = Field(default=180.0, description="A Service holds the address it asked for.")
    lease: Seconds = Field(default=120.0, description="A node holds the lease of a requested address.")
