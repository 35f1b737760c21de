"""What is chosen once when a cluster is made: addresses, ports, tokens. Kept in its state folder as `cluster.json`."""

from __future__ import annotations

import json
import secrets
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

# Token → who it is. The parts are administrators of the cluster, each under its own name, so that the audit log tells
# them apart; `flytemp-worker` has no rights but those that a test binds to it.
ADMINISTRATORS = ("admin", "kube-controller-manager", "kube-scheduler", "kubelet", "kwok")
WORKER = "flytemp-worker"
PORTS = ("etcd", "etcd-peer", "kwok")


@dataclass(frozen=True)
class Settings:
    """One cluster. `index` tells the clusters of a machine apart: it is in the names and addresses of the network."""

    folder: Path
    programs: Path
    index: int
    ports: dict[str, int]
    tokens: dict[str, str] = field(repr=False)

    @classmethod
    def choose(cls, folder: Path, programs: Path, index: int) -> Settings:
        """Free ports and new tokens."""
        tokens = {name: secrets.token_hex(16) for name in (*ADMINISTRATORS, WORKER)}
        return cls(folder, programs, index, free_ports(PORTS), tokens)

    @classmethod
    def load(cls, folder: Path) -> Settings | None:
        """The settings that a state folder holds; None when it holds none."""
        try:
            values = json.loads((folder / "cluster.json").read_text())
        except FileNotFoundError:
            return None
        return cls(**{**values, "folder": folder, "programs": Path(values["programs"])})

    def save(self) -> None:
        """Writes `cluster.json`, for its owner's eyes only: it holds the tokens."""
        path = self.folder / "cluster.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({**asdict(self), "folder": str(self.folder), "programs": str(self.programs)}, indent=2))

    @property
    def name(self) -> str:
        """The cluster's name, in control groups and networks."""
        return f"flytemp-testcluster-{self.index}"

    @property
    def node_name(self) -> str:
        """The real node."""
        return "node-1"

    @property
    def bridge(self) -> str:
        """The network device that the pods hang on."""
        return f"cni{self.index}"

    @property
    def bridge_ip(self) -> str:
        """The machine as the pods see it, and the address of the node."""
        return f"10.244.{self.index}.1"

    @property
    def pod_cidr(self) -> str:
        """The pods' addresses."""
        return f"10.244.{self.index}.0/24"

    @property
    def service_ip(self) -> str:
        """The address of the service `kubernetes`; the API server itself listens there, on the bridge."""
        return f"10.96.{self.index}.1"

    @property
    def service_cidr(self) -> str:
        """The services' addresses; none but the API server's leads anywhere."""
        return f"10.96.{self.index}.0/24"

    @property
    def server(self) -> str:
        """The API server's URL, from the machine and from pods."""
        return f"https://{self.service_ip}:443"

    @property
    def ca_file(self) -> Path:
        """Who signed the API server's certificate."""
        return self.folder / "pki" / "ca.crt"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig file of one user."""
        return self.folder / f"{user}.kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.folder / "containerd.sock"

    @property
    def audit_log(self) -> Path:
        """One JSON object per line: every request that the API server saw."""
        return self.folder / "logs" / "audit.log"


def free_ports(names: tuple[str, ...], address: str = "127.0.0.1") -> dict[str, int]:
    """A free port for each name; all are held until all are chosen, so that none is given twice."""
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
