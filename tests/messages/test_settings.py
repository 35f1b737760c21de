"""Texts of the errors and notes about settings."""

from __future__ import annotations

from pathlib import Path

from flytemp.config import load_settings
from tests.messages.golden import Case, check_golden


def test_texts(tmp_path: Path) -> None:
    number = iter(range(100))

    def project(text: str) -> Case:
        folder = tmp_path / f"project-{next(number)}"
        folder.mkdir()
        (folder / "flytemp.toml").write_text(text)
        return lambda: load_settings(folder, environ={"HOME": str(tmp_path)})

    def settings(*, flags: dict[str, str] | None = None, **variables: str) -> Case:
        return lambda: load_settings(tmp_path, overrides=flags or {}, environ={"HOME": str(tmp_path), **variables})

    def profile(text: str) -> Case:
        file = tmp_path / f"temporal-{next(number)}.toml"
        file.write_text(text)
        return settings(TEMPORAL_CONFIG_FILE=str(file))

    def notes(**variables: str) -> Case:
        return lambda: "\n".join(load_settings(tmp_path, environ={"HOME": str(tmp_path), **variables}).notes)

    temporal = tmp_path / "temporal.toml"
    temporal.write_text('[profile.prod]\naddress = "host:7233"\n')
    cases: dict[str, Case] = {
        "a misspelt setting": project('stroe = "/x"\n'),
        "an unknown section": project("[wroker]\nslots = 1\n"),
        "a setting in the wrong section": project("slots = 1\n"),
        "a file that is not TOML": project("project = \n"),
        "a value of another type": project("[worker]\nslots = 0\n"),
        "a project name with a slash": project('project = "a/b"\n'),
        "a store without a bucket": project('store = "s3://"\n'),
        "an unknown setting of a section": project("[worker]\nslot = 1\n"),
        "a setting of no section in one": project('[worker]\nstore = "x"\n'),
        "a value for a section": project("worker = 3\n"),
        "a number for a text": project("project = 5\n"),
        "a list of other things than names": project("[worker]\npass_environment = [1]\n"),
        "an address of a UI without a scheme": project('ui_url = "localhost:8233"\n'),
        "an empty store": project('store = ""\n'),
        "too short a duration": settings(FLYTEMP_WORKER_HEARTBEAT_SECONDS="0"),
        "an address without a port": settings(FLYTEMP_ADDRESS="localhost"),
        "a duration that is not a number": settings(FLYTEMP_WORKER_GRACE_SECONDS="soon"),
        "an unknown backend": settings(FLYTEMP_WORKER_BACKEND="docker"),
        "an unknown flag": settings(flags={"slotz": "1"}),
        "a misspelt profile": settings(TEMPORAL_PROFILE="prdo", TEMPORAL_CONFIG_FILE=str(temporal)),
        "a profile without a file": settings(TEMPORAL_PROFILE="prod"),
        "a profile that is not TOML": profile("[profile.default\n"),
        "a number in a profile": profile("[profile.default]\nnamespace = 5\n"),
        "profiles without sections": profile("profile = 1\n"),
        "a profile that is not a section": profile("[profile]\ndefault = 1\n"),
        "a misspelt variable": notes(FLYTEMP_STROE="/x"),
        "a configuration file that does not exist": notes(TEMPORAL_CONFIG_FILE=str(tmp_path / "absent.toml")),
    }
    check_golden("settings", cases, {str(tmp_path): "/tmp"})
