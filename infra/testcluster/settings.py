"""Settings of a cluster: addresses, ports and tokens, stored in its state folder as `cluster.json`."""

from __future__ import annotations

import json
import secrets
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

# Users by token. The parts are administrators with different names, so that the audit log distinguishes them;
# `flytemp-worker` has only the rights that a test grants.
ADMINISTRATORS = ("admin", "kube-controller-manager", "kube-scheduler", "kubelet", "kwok")
WORKER = "flytemp-worker"
PORTS = ("etcd", "etcd-peer", "kwok")


@dataclass(frozen=True)
class Settings:
    """Settings of one cluster. `index` is its number on the machine, part of network names and addresses."""

    folder: Path
    programs: Path
    index: int
    ports: dict[str, int]
    tokens: dict[str, str] = field(repr=False)

    @classmethod
    def choose(cls, folder: Path, programs: Path, index: int) -> Settings:
        """Create settings with free ports and new tokens."""
        tokens = {name: secrets.token_hex(16) for name in (*ADMINISTRATORS, WORKER)}
        return cls(folder, programs, index, free_ports(PORTS), tokens)

    @classmethod
    def load(cls, folder: Path) -> Settings | None:
        """Return the settings in a state folder, or None."""
        try:
            values = json.loads((folder / "cluster.json").read_text())
        except FileNotFoundError:
            return None
        return cls(**{**values, "folder": folder, "programs": Path(values["programs"])})

    def save(self) -> None:
        """Write `cluster.json` with owner-only permissions, because it contains the tokens."""
        path = self.folder / "cluster.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({**asdict(self), "folder": str(self.folder), "programs": str(self.programs)}, indent=2))

    @property
    def name(self) -> str:
        """Name of the cluster in control groups and networks."""
        return f"flytemp-testcluster-{self.index}"

    @property
    def node_name(self) -> str:
        """Name of the real node."""
        return "node-1"

    @property
    def bridge(self) -> str:
        """Network device of the pods."""
        return f"cni{self.index}"

    @property
    def bridge_ip(self) -> str:
        """Address of the machine for pods, and of the node."""
        return f"10.244.{self.index}.1"

    @property
    def pod_cidr(self) -> str:
        """Address range of pods."""
        return f"10.244.{self.index}.0/24"

    @property
    def service_ip(self) -> str:
        """Address of the service `kubernetes`, at which the API server listens on the bridge."""
        return f"10.96.{self.index}.1"

    @property
    def service_cidr(self) -> str:
        """Address range of services; only the API server's address is used."""
        return f"10.96.{self.index}.0/24"

    @property
    def server(self) -> str:
        """URL of the API server for the machine and for pods."""
        return f"https://{self.service_ip}:443"

    @property
    def ca_file(self) -> Path:
        """Certificate of the CA that signed the API server's certificate."""
        return self.folder / "pki" / "ca.crt"

    def kubeconfig(self, user: str) -> Path:
        """Return the path of one user's kubeconfig."""
        return self.folder / f"{user}.kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Socket of containerd."""
        return self.folder / "containerd.sock"

    @property
    def audit_log(self) -> Path:
        """Path of the audit log: one JSON object per request."""
        return self.folder / "logs" / "audit.log"


def free_ports(names: tuple[str, ...], address: str = "127.0.0.1") -> dict[str, int]:
    """Return a different free port for each name; all are bound until all are chosen."""
    held: list[socket.socket] = []
    try:
        for _ in names:
            taken = socket.socket()
            held.append(taken)
            taken.bind((address, 0))
        return {name: taken.getsockname()[1] for name, taken in zip(names, held, strict=True)}
    finally:
        for taken in held:
            taken.close()
