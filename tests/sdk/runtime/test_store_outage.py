"""Stores that do not answer for a while: what has run is stored later, and does not run again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from flytemp.errors import CorruptData, StoreError
from flytemp.runtime.commit import read_result
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.failures import TryFailed
from flytemp.store import patience, raw
from flytemp.store.local import LocalStore
from flytemp.store.patience import patient
from tests.sdk.runtime.project import Project

PROGRAM = """
    from flytemp import task
    from flytemp.types.file import FlyteFile

    @task
    def report(ran: str) -> FlyteFile:
        with open(ran, "a") as file:
            file.write("x")
        with open("report.txt", "w") as file:
            file.write("content")
        return FlyteFile("report.txt")
"""


@pytest.fixture
def program(project: Project) -> Project:
    project.write(PROGRAM)
    return project


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_SECONDS", 0.001)


class Outage:
    """Refusal of the first requests."""

    def __init__(self, requests: int) -> None:
        self.left = requests

    def meet(self) -> None:
        if self.left:
            self.left -= 1
            raise StoreError("ExpiredToken: the token has expired")


class RecoveringStore(LocalStore):
    def __init__(self, uri: str, outage: Outage, ending: str) -> None:
        super().__init__(uri)
        self._outage = outage
        self._ending = ending

    def create(self, key: str, data: bytes) -> bool:
        if key.endswith(self._ending):
            self._outage.meet()
        return super().create(key, data)


@pytest.mark.parametrize("place", ["commit", "upload"])
def test_outputs_are_stored_after_an_outage_without_running_the_task_again(
    program: Project, options: ExecutionOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    outage = Outage(3)
    store = RecoveringStore(program.store.uri, outage if place == "commit" else Outage(0), "/result.json")
    if place == "upload":
        upload = raw.upload_file

        def flaky(local: str | Path, uri: str, **options: bool) -> None:
            outage.meet()
            upload(local, uri, **options)

        monkeypatch.setattr(raw, "upload_file", flaky)
    invocation = program.invocation("report", {"ran": str(tmp_path / "ran")})
    patient_options = dataclasses.replace(options, patience_seconds=60)
    result = execute(invocation, store, owner="me", options=patient_options)
    assert result is not None
    assert (result.status, outage.left) == ("succeeded", 0)
    assert read_result(store, invocation) == result
    assert (tmp_path / "ran").read_text() == "x"


def test_outage_that_lasts_too_long_is_charged_to_the_platform(
    program: Project, options: ExecutionOptions, tmp_path: Path
) -> None:
    store = RecoveringStore(program.store.uri, Outage(1_000_000), "/result.json")
    short = dataclasses.replace(options, patience_seconds=0.05)
    with pytest.raises(TryFailed) as caught:
        execute(program.invocation("report", {"ran": str(tmp_path / "ran")}), store, owner="me", options=short)
    assert (caught.value.error.kind, caught.value.error.code) == ("SYSTEM", "StoreError")


def test_damaged_object_is_not_read_again() -> None:
    requests = []

    def read() -> None:
        requests.append(1)
        raise CorruptData("not JSON")

    with pytest.raises(CorruptData):
        patient(read)
    assert requests == [1]

