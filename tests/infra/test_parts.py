"""Parts of the test cluster that need no cluster: processes, counts, archives, requirements."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.testcluster import audit, builds, images, pytest_fixtures
from infra.testcluster.api import eventually
from infra.testcluster.cluster import remove
from infra.testcluster.errors import ClusterError, Unavailable
from infra.testcluster.layouts import Layout
from infra.testcluster.processes import Identity, Processes
from infra.testcluster.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the test cluster runs on Linux only")


def test_process_is_found_and_ended_by_another_process(tmp_path: Path) -> None:
    started = Processes(tmp_path).start("sleeper", ["sleep", "1000"])
    found = Processes(tmp_path).find("sleeper")
    assert found == started
    Processes(tmp_path).end("sleeper")
    assert not started.alive
    assert Processes(tmp_path).find("sleeper") is None


def test_paused_process_is_ended(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    started = processes.start("sleeper", ["sleep", "1000"])
    processes.signal("sleeper", signal.SIGSTOP)
    processes.end("sleeper")
    assert not started.alive


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_process_with_a_reused_pid_is_not_ended(tmp_path: Path, change: dict[str, object]) -> None:
    processes = Processes(tmp_path)
    started = processes.start("sleeper", ["sleep", "1000"])
    try:
        other = dataclasses.replace(started, **change)  # type: ignore[arg-type]
        assert not other.alive
        other.end(patience=0)
        assert started.alive
    finally:
        processes.end("sleeper")


def test_error_quotes_the_log(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start("talker", ["sh", "-c", "echo my last words; exec sleep 1000"])
    try:
        eventually("words written", lambda: processes.log("talker").stat().st_size > 0)
    finally:
        processes.end("talker", patience=0)
    assert "my last words" in processes.explain("talker", "has ended")


def test_ended_process_is_not_signalled(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="nobody"):
        Processes(tmp_path).signal("nobody", signal.SIGTERM)


def test_this_process_has_an_identity() -> None:
    assert Identity.of(1 << 30) is None


def entry(number: int, agent: str = "flytemp/1", time: str = "2026-01-02T00:00:00.000000Z", **place: str) -> str:
    told = {"auditID": str(number), "userAgent": agent, "requestReceivedTimestamp": time, "verb": "create", "objectRef": place}
    return json.dumps(told) + "\n"


def test_requests_are_counted_by_agent_and_time(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    lines = [
        entry(1, resource="pods"),
        entry(1, resource="pods"),  # a watch is told at its start and at its end
        entry(2, resource="pods", subresource="status"),
        entry(3, agent="kubelet/1", resource="pods"),
        entry(4, time="2026-01-01T00:00:00.000000Z", resource="pods"),
        '{"auditID": "cut off',
    ]
    log.write_text("".join(lines))
    assert audit.count(log, datetime(2026, 1, 2, tzinfo=UTC), "flytemp/") == {"create pods": 1, "create pods/status": 1}


def make_layout(folder: Path) -> Layout:
    """Two images with a common layer."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for name in ("shared", "old", "new", "configuration"):
        (blobs / name).write_text(name)
    manifests = []
    for name in ("old", "new"):
        parts = {
            "config": {"digest": "sha256:configuration"},
            "layers": [{"digest": "sha256:shared"}, {"digest": f"sha256:{name}"}],
        }
        (blobs / f"manifest-{name}").write_text(json.dumps(parts))
        annotations = {"org.opencontainers.image.ref.name": name}
        manifests.append({"digest": f"sha256:manifest-{name}", "annotations": annotations})
    (folder / "index.json").write_text(json.dumps({"manifests": manifests}))
    return Layout(folder)


def test_archive_has_the_missing_files(tmp_path: Path) -> None:
    layout = make_layout(tmp_path / "layout")
    layout.write_archive("new", "localhost/new:1", tmp_path / "new.tar", {"sha256:shared"})
    with tarfile.open(tmp_path / "new.tar") as archive:
        names = {Path(name).name for name in archive.getnames()}
    assert names == {"oci-layout", "index.json", "manifest-new", "configuration", "new"}


def test_removed_image_takes_its_own_layers(tmp_path: Path) -> None:
    layout = make_layout(tmp_path)
    layout.keep(lambda reference: reference != "old")
    assert layout.references() == ["new"]
    assert {path.name for path in (tmp_path / "blobs").glob("*/*")} == {"shared", "new", "configuration", "manifest-new"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"FLYTEMP_REQUIRE": "s3, kubernetes"}, True),
        ({"FLYTEMP_REQUIRE": "s3"}, False),
        ({"CI": "true"}, True),
        ({"CI": "false"}, False),
    ],
)
def test_missing_part_fails_if_required_and_skips_otherwise(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool
) -> None:
    for name in ("CI", "FLYTEMP_REQUIRE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def make() -> None:
        raise Unavailable("no such machine")

    outcome = pytest.fail.Exception if expected else pytest.skip.Exception
    with pytest.raises(outcome, match="no such machine"):
        pytest_fixtures.provided("kubernetes", make)


def test_foreign_folder_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(Unavailable, match=tmp_path.name):
        remove(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_settings_survive_a_round_trip(tmp_path: Path) -> None:
    settings = Settings.choose(tmp_path, tmp_path / "bin", 3)
    settings.save()
    assert Settings.load(tmp_path) == settings
    assert (tmp_path / "cluster.json").stat().st_mode & 0o077 == 0
    assert settings.tokens["admin"] not in repr(settings)


def test_versions_are_read_from_the_modules() -> None:
    assert builds.module_version("etcd", "go.etcd.io/etcd/server/v3").startswith("v3.")
    assert any("gitVersion=v1." in flag for flag in builds.kubernetes_link_flags())


def test_name_of_an_image_depends_on_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = images.tree_digest(images.TASK)
    assert before == images.tree_digest(images.TASK)
    assert before != images.tree_digest(images.WORKER)
    for folder in images.SOURCES:
        (tmp_path / folder).mkdir()
    shutil.copy(images.ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(images.DOCKERFILES, tmp_path / "images")
    monkeypatch.setattr(images, "ROOT", tmp_path)
    monkeypatch.setattr(images, "DOCKERFILES", tmp_path / "images")
    without_code = images.tree_digest(images.TASK)
    (tmp_path / "sdk" / "new.py").write_text("")
    assert len({before, without_code, images.tree_digest(images.TASK)}) == 3
