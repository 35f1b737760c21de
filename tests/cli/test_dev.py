"""`flytemp dev`: one instance per project, used by other commands, without processes after its end."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from flytemp_cli.dev.child import ending_text
from flytemp_cli.scaffold.files import project_files
from tests.installation import eventually, marked_processes
from tests.messages.golden import check_golden

pytestmark = pytest.mark.e2e

READY_SECONDS = 120


@dataclass
class Dev:
    """A running `flytemp dev`. The folder identifies its child processes."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def state(self) -> dict[str, object]:
        value = json.loads((self.folder / ".flytemp" / "dev.json").read_text())
        assert isinstance(value, dict)
        return value

    def flytemp(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flytemp_cli", *arguments],
            cwd=self.folder,
            env=plain_environment() | environment,
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
            stdin=subprocess.DEVNULL,
        )

    def line(self, expected: str) -> str:
        """Read stderr up to a line that contains ``expected``."""
        assert self.process.stderr is not None
        seen = []
        while select.select([self.process.stderr], [], [], READY_SECONDS)[0]:
            line = self.process.stderr.readline().decode()
            if not line:
                break
            seen.append(line)
            if expected in line:
                return line
        raise AssertionError(f"no line with {expected!r} in {seen}")

    def children(self) -> list[int]:
        return [pid for pid in marked_processes(str(self.folder)) if pid != self.process.pid]

    def everything_ended(self) -> bool:
        return not marked_processes(str(self.folder))


def plain_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("FLYTEMP_", "TEMPORAL_"))}


@contextmanager
def running(folder: Path, *arguments: str, until: str = "ready", **environment: str) -> Iterator[Dev]:
    """Run `flytemp dev` in ``folder`` until the end of the block; wait first until it prints ``until``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flytemp_cli", "dev", "--port", "0", "--ui-port", "0", *arguments],
        cwd=folder,
        env=plain_environment() | {"FLYTEMP_WORKER_METRICS_ADDRESS": "127.0.0.1:0"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # select must see what readline has not taken
        start_new_session=True,
    )
    dev = Dev(process, folder)
    try:
        dev.line(until)
        yield dev
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my project"
    for path, text in project_files("demo").items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder


def test_other_commands_use_it_and_its_state_survives_a_restart(project: Path) -> None:
    with running(project) as dev:
        ran = dev.flytemp("run", "src/workflows.py", "--launch.name", "first", "-o", "json")
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout)["phase"] == "SUCCEEDED"

        dev.process.send_signal(signal.SIGTERM)
        assert dev.process.wait(READY_SECONDS) == 0
        assert dev.everything_ended()
        assert not (project / ".flytemp" / "dev.json").exists()

    with running(project, "--no-ui") as dev:
        assert dev.state["ui_url"] is None
        found = dev.flytemp("get", "execution", "first", "-o", "json")
        assert json.loads(found.stdout)["outputs"] == json.loads(ran.stdout)["outputs"]
        assert dev.flytemp("list", "executions", "-o", "name").stdout == "first\n"


def test_second_instance_in_a_project_is_refused(project: Path) -> None:
    with running(project, "--ephemeral") as dev:
        second = dev.flytemp("dev")

        assert second.returncode == 1
        check_golden("second-dev", {"in a project": partial(str, second.stderr)}, {str(dev.process.pid): "<pid>"})


def test_kill_leaves_no_processes_and_allows_a_restart(project: Path) -> None:
    with running(project) as dev:
        assert len(dev.children()) >= 2
        dev.process.kill()
        dev.process.wait()
        eventually(dev.everything_ended, "its children end with it")

    with running(project) as again:
        assert again.flytemp("setup").returncode == 0


def test_crashed_worker_is_restarted(project: Path) -> None:
    with running(project, "--ephemeral") as dev:
        worker = next(pid for pid in dev.children() if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))

        os.kill(worker, signal.SIGKILL)

        assert "worker ended (killed by SIGKILL)" in dev.line("worker ended")
        dev.line("worker restarted")
        assert dev.flytemp("run", "src/workflows.py").returncode == 0


def test_crashed_server_is_restarted_with_its_state(project: Path) -> None:
    with running(project) as dev:
        assert dev.flytemp("run", "src/workflows.py", "--launch.name", "before").returncode == 0
        server = next(pid for pid in dev.children() if b"start-dev" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))

        os.kill(server, signal.SIGKILL)

        dev.line("Temporal server restarted")
        assert dev.flytemp("list", "executions", "-o", "name").stdout == "before\n"


def test_ephemeral_instance_keeps_no_data(project: Path) -> None:
    with running(project, "--ephemeral") as dev:
        store = Path(str(dev.state["store"]).removeprefix("file://").replace("%20", " "))
        assert store.is_dir()
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(READY_SECONDS) == 0

    assert not store.exists()
    assert not (project / ".flytemp" / "temporal.db").exists()


def test_profiles_of_other_servers_are_ignored(project: Path) -> None:
    profiles = project.parent / "temporal.toml"
    profiles.write_text('[profile.default]\naddress = "prod:7233"\napi_key = "sesame"\n[profile.default.tls]\ndisabled = false\n')

    with running(project, "--ephemeral", TEMPORAL_CONFIG_FILE=str(profiles)) as dev:
        ran = dev.flytemp("run", "src/workflows.py", TEMPORAL_CONFIG_FILE=str(profiles))

        assert ran.returncode == 0, ran.stderr


def test_runs_in_a_project_with_a_profile(project: Path) -> None:
    profiles = project.parent / "temporal.toml"
    profiles.write_text('[profile.prod]\naddress = "prod:7233"\napi_key = "sesame"\n')
    (project / "flytemp.toml").write_text('profile = "prod"\n')
    variables = {"TEMPORAL_CONFIG_FILE": str(profiles)}

    until = "other commands use another address: prod:7233"
    with running(project, "--ephemeral", until=until, **variables) as dev:
        dev.line("ready")
        address = str(dev.state["address"])

        ran = dev.flytemp("run", "src/workflows.py", "--address", address, **variables)

        assert ran.returncode == 0, ran.stderr


def test_another_configured_address_causes_a_warning(project: Path) -> None:
    (project / "flytemp.toml").write_text('address = "elsewhere:7233"\n')

    with running(project, "--ephemeral", until="other commands use another address: elsewhere:7233 (flytemp.toml") as dev:
        dev.line("ready")


def test_used_port_is_an_error(project: Path) -> None:
    with running(project, "--ephemeral") as dev:
        port = str(dev.state["address"]).rpartition(":")[2]
        other = project.parent / "other"
        other.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "flytemp_cli", "dev", "--port", port],
            cwd=other,
            env=plain_environment(),
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
        )

    assert done.returncode == 1
    check_golden("dev-ports", {"a port in use": partial(str, done.stderr)}, {str(port): "<port>"})


@pytest.mark.parametrize(("code", "text"), [(3, "exit code 3"), (-9, "killed by SIGKILL"), (-200, "killed by signal 200")])
def test_description_of_return_codes(code: int, text: str) -> None:
    assert ending_text(code) == text
