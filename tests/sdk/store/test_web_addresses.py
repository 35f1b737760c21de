"""Addresses to which downloads may not connect, also after redirects and by DNS."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flytemp.errors import FlytempError, NotSupported
from flytemp.store import raw, web, web_addresses
from flytemp.store.web_addresses import LoopbackRule, check_host, connect, refusal


@pytest.fixture
def in_a_worker() -> Iterator[None]:
    with LoopbackRule(allowed=False):
        yield


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "fd00:ec2::254", "64:ff9b::a9fe:a9fe",
     "2002:a9fe:a9fe::", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"],
)  # fmt: skip
def test_link_local_addresses_and_metadata_services_are_refused_everywhere(address: str) -> None:
    assert refusal(address) is not None


@pytest.mark.usefixtures("in_a_worker")
@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"])
def test_loopback_addresses_are_refused_in_tasks(address: str) -> None:
    assert refusal(address) is not None


def test_other_addresses_are_permitted() -> None:
    assert [refusal(address) for address in ("127.0.0.1", "10.0.0.1", "93.184.216.34", "2606:2800:220:1::1")] == [None] * 4


@pytest.mark.usefixtures("in_a_worker")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "127.1"])
def test_each_form_of_a_host_is_resolved_before_the_check(host: str) -> None:
    with pytest.raises(NotSupported):
        check_host(host)
    with pytest.raises(NotSupported):
        connect((host, 9), 1)


@pytest.mark.usefixtures("in_a_worker")
def test_name_whose_dns_answer_changes_is_checked_at_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def resolve(host: str, port: Any, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port or 0))]

    monkeypatch.setattr(web_addresses.socket, "getaddrinfo", resolve)
    with pytest.raises(NotSupported):
        web.exists("http://rebinding.example/x")


class Redirect(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/file":
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
            return
        self.send_response(302)
        port = self.path.removeprefix("/ftp/")
        self.send_header("Location", f"ftp://127.0.0.1:{port}/x" if port.isdigit() else "http://169.254.169.254/latest/meta-data")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_redirect_to_a_refused_address_is_not_followed(server: str, tmp_path: Path) -> None:
    raw.download_file(f"{server}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"ok"
    with pytest.raises(NotSupported):
        raw.download_file(f"{server}/elsewhere", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_redirect_to_another_protocol_is_not_followed(server: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        with pytest.raises(FlytempError):
            raw.download_file(f"{server}/ftp/{other.getsockname()[1]}", tmp_path / "other")
        with pytest.raises(BlockingIOError):
            other.accept()


@pytest.mark.usefixtures("in_a_worker")
def test_task_does_not_download_from_the_loopback_address(server: str, tmp_path: Path) -> None:
    with pytest.raises(FlytempError) as caught:
        raw.download_file(f"{server}/file", tmp_path / "file")
    assert caught.value.code == "not-supported"
