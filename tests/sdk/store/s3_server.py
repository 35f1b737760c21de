"""A real S3 server for tests: SeaweedFS, one process, ended by its id."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.installation import eventually

BUCKET = "flytemp-tests"
_STARTS = 3  # another program may take a port between its choice and its use
_PORTS = ("s3", "master", "volume", "filer")
_IDENTITIES = {
    "identities": [
        {
            "name": "tests",
            "credentials": [{"accessKey": "tests", "secretKey": "tests-secret"}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}


def required() -> bool:
    """Whether a missing server is a failure, not a reason to skip."""
    return os.environ.get("CI") == "true" or "s3" in os.environ.get("FLYTEMP_REQUIRE", "").split(",")


def component(name: str, found: bool) -> None:
    """Skip the test when ``name`` is not installed; fail where it must be."""
    if found:
        return
    if required():
        pytest.fail(f"{name} is not installed, and it is required here")
    pytest.skip(f"{name} is not installed")


def weed() -> str | None:
    """The path of SeaweedFS's program, from the environment of this Python first."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass
class S3Server:
    """A server with the bucket `BUCKET`."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    @classmethod
    def start(cls, program: str) -> S3Server:
        for _ in range(_STARTS - 1):
            try:
                return cls._start(program)
            except OSError:
                continue
        return cls._start(program)

    @classmethod
    def _start(cls, program: str) -> S3Server:
        # Not pytest's folder: the path of a socket must be short.
        folder = Path(tempfile.mkdtemp(prefix="s3-"))
        (folder / "data").mkdir()
        (folder / "identities.json").write_text(json.dumps(_IDENTITIES))
        ports = free_ports(2 * len(_PORTS))
        options = [
            option
            for name, port, grpc in zip(_PORTS, ports[::2], ports[1::2], strict=True)
            for option in (f"-{name}.port={port}", f"-{name}.port.grpc={grpc}")
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    program,
                    "server",
                    f"-dir={folder / 'data'}",
                    "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1",
                    "-filer",
                    f"-filer.localSocket={folder / 'filer.sock'}",
                    "-s3",
                    f"-s3.localSocket={folder / 's3.sock'}",
                    f"-s3.config={folder / 'identities.json'}",
                    "-s3.autoCreateBucket=false",
                    "-s3.port.iceberg=0",
                    "-s3.port.lance=0",
                    "-master.volumeSizeLimitMB=128",
                    "-master.telemetry=false",
                    "-volume.max=24",
                    *options,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        server = cls(ports[0], process, folder)
        try:
            eventually(server._ready, f"SeaweedFS answers; its log:\n{server.log()}")
        except BaseException:
            server.stop()
            raise
        return server

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise OSError(f"SeaweedFS ended with {self.process.returncode}:\n{self.log()}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """The variables with which any S3 client finds the server and may use it."""
        return credentials(self.endpoint)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def credentials(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests-secret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
