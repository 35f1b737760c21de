"""A store in a bucket of a real S3 server."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from flytemp.errors import StoreError
from flytemp.store import open_store
from flytemp.store.remote import RemoteStore
from infra.testcluster.s3 import S3Server
from infra.testcluster.settings import free_ports
from tests.sdk.store.conftest import Connect
from tests.sdk.store.fault_proxy import FaultProxy

pytestmark = pytest.mark.e2e

_RACER = """
import sys
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
store = open_store(sys.argv[1])
store.exists("warm")
print("ready", flush=True)
for line in sys.stdin:
    print(int(store.create(line.strip(), sys.argv[2].encode())), flush=True)
"""
_PROCESSES, _RACES = 4, 20


class Racer:
    """A process that creates the given objects."""

    def __init__(self, uri: str, number: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _RACER, uri, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def tell(self, key: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{key}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


def test_exactly_one_of_many_processes_creates(s3: RemoteStore) -> None:
    racers = [Racer(s3.uri, number) for number in range(_PROCESSES)]
    try:
        assert [racer.hear() for racer in racers] == ["ready"] * _PROCESSES
        for number in range(_RACES):
            key = f"race/{number}"
            for racer in racers:
                racer.tell(key)
            won = [racer.hear() for racer in racers]
            assert sorted(won) == ["0"] * (_PROCESSES - 1) + ["1"]
            assert s3.read(key) == str(won.index("1")).encode()
    finally:
        for racer in racers:
            racer.stop()


def test_exactly_one_of_many_threads_creates_a_large_object(proxy: FaultProxy, faulty: RemoteStore) -> None:
    bodies = [bytes([number]) * (101 * 2**20) for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        won = list(pool.map(lambda body: faulty.create("large", body), bodies))
    assert sum(won) == 1
    assert faulty.read("large") == bodies[won.index(True)]
    assert proxy.count("POST") == 0, "an object in parts is not created exclusively by every server"


def test_written_object_is_read(s3: RemoteStore) -> None:
    for number in range(20):
        s3.write("a", b"%d" % number)
        assert s3.read("a") == b"%d" % number
        assert s3.exists("a")
        assert s3.list("b") == []
        s3.write(f"b/{number}", b"")
        assert s3.list("b") == [str(number)]
        s3.delete(f"b/{number}")
        s3.delete("a")
        assert s3.read_or_none("a") is None
        assert not s3.exists("a")
        s3.delete("a")


def test_keys_with_special_characters(s3: RemoteStore) -> None:
    names = ["a b", "ä", "日本", "a%20b", "a+b", "a&b=c", "a?b", "a#b", "~", "a::b", "[x]", "*", "'\"", "(1)", "a,b;c", "=", "@"]
    for number, name in enumerate(names):
        assert s3.create(f"odd/{name}", b"%d" % number) is True
    assert s3.list("odd") == sorted(names)
    for number, name in enumerate(names):
        assert s3.exists(f"odd/{name}")
        assert s3.read(f"odd/{name}") == b"%d" % number
        assert s3.create(f"odd/{name}", b"") is False
    for name in names:
        s3.delete(f"odd/{name}")
    assert s3.list("odd") == []


def test_folder_of_more_than_a_page(s3: RemoteStore) -> None:
    names = [f"{number:05}" for number in range(1_205)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: s3.write(f"many/{name}" if int(name) % 3 else f"many/{name}/x", b""), names))
    assert s3.list("many") == names
    assert s3.list("many", 1) == names[:1]
    assert s3.list("many", 7) == names[:7]
    assert s3.list("many", 1_100) == names[:1_100]
    assert s3.list("many", 5_000) == names


def test_first_names_are_read_without_the_rest(proxy: FaultProxy, faulty: RemoteStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: faulty.write(f"many/{number:03}", b""), range(60)))
    proxy.requests.clear()
    assert faulty.list("many", 2) == ["000", "001"]
    assert [request.method for request in proxy.requests] == ["GET"]
    assert "max-keys=3" in proxy.requests[0].path
    proxy.requests.clear()
    assert faulty.list("absent") == []
    assert len(proxy.requests) == 1


def test_read_is_one_request(proxy: FaultProxy, faulty: RemoteStore) -> None:
    faulty.write("a", b"x")
    proxy.requests.clear()
    faulty.read("a")
    faulty.read_or_none("absent")
    assert [request.method for request in proxy.requests] == ["GET", "GET"]


def test_missing_bucket_is_an_error(s3_server: S3Server, connect: Connect) -> None:
    connect(s3_server.endpoint)
    store = RemoteStore("s3://bucket-of-nobody/prefix")
    calls = {
        "read": lambda: store.read("a"),
        "write": lambda: store.write("a", b""),
        "create": lambda: store.create("a", b""),
        "look for": lambda: store.exists("a"),
        "delete": lambda: store.delete("a"),
        "list": lambda: store.list("a"),
    }
    for action, call in calls.items():
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.message == f"cannot {action} s3://bucket-of-nobody/prefix/a: the bucket does not exist"
        assert "create the bucket" in (caught.value.hint or "")


def test_wrong_credentials(proxy: FaultProxy, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = connect(proxy.endpoint)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    pauses: list[float] = []
    store = RemoteStore(uri, pause=pauses.append)
    calls = [
        lambda: store.read("a"),
        lambda: store.write("a", b""),
        lambda: store.exists("a"),
        lambda: store.delete("a"),
        lambda: store.list("a"),
    ]
    for call in calls:
        proxy.requests.clear()
        with pytest.raises(StoreError, match=r"signature|Forbidden") as caught:
            call()
        assert "AWS_ACCESS_KEY_ID" in (caught.value.hint or "")
        assert len(proxy.requests) == 1
    with pytest.raises(StoreError, match=r"signature|Forbidden") as caught:
        store.create("a", b"")
    assert "AWS_ACCESS_KEY_ID" in (caught.value.hint or "")
    assert pauses == []


def test_no_credentials(s3_server: S3Server, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RemoteStore(connect(s3_server.endpoint))
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(StoreError) as caught:
        store.read("a")
    assert "AWS_ACCESS_KEY_ID" in (caught.value.hint or "")


def test_unreachable_server_is_an_error(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    port = free_ports(("nobody",))["nobody"]
    store = RemoteStore(connect(f"http://127.0.0.1:{port}"))
    for call in (store.check_writable, lambda: store.read("a"), lambda: store.list("a")):
        with pytest.raises(StoreError, match="Could not connect") as caught:
            call()
        assert "check that the server runs" in (caught.value.hint or "")
        assert "AWS_ENDPOINT_URL" in (caught.value.hint or "")


def test_store_is_thread_safe(s3_prefix: str) -> None:
    def work(number: int) -> list[str]:
        store = open_store(s3_prefix)
        store.write(f"{number}/a", b"%d" % number)
        assert store.read(f"{number}/a") == b"%d" % number
        return store.list(str(number))

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(100))) == [["a"]] * 100
