"""State file of a running `flytemp dev`, from which the other commands of its project read the addresses."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flytemp.errors import ConfigError
from flytemp.json_text import read_json
from flytemp.store.failures import store_error

STATE_FOLDER = ".flytemp"
_TEXTS = ("address", "namespace", "store", "task_queue")
_LARGEST_PID = 2**31 - 1
_OPTIONAL_TEXTS = ("ui_url", "metrics_url")


@dataclass(frozen=True, slots=True)
class DevState:
    """A `flytemp dev`: its process and its addresses."""

    pid: int
    address: str
    namespace: str
    store: str
    task_queue: str
    ui_url: str | None = None
    metrics_url: str | None = None
    is_starting: bool = False
    """True until the server answers and is prepared. The addresses are final before."""
    process_started: str = ""
    """Start time of ``pid`` in the kernel, which detects a reused pid; empty if unknown."""

    @property
    def is_alive(self) -> bool:
        """True if the process runs on this machine."""
        if not 0 < self.pid <= _LARGEST_PID:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # the process exists and belongs to another user
        state, started = _process(self.pid)
        return state != "Z" and (not self.process_started or not started or self.process_started == started)


def path_of(project_dir: Path) -> Path:
    """Return the path of the state file."""
    return project_dir / STATE_FOLDER / "dev.json"


def write(project_dir: Path, state: DevState) -> None:
    """Write the state file of a `flytemp dev`.

    Raises:
        StoreError: the file cannot be written.
    """
    path = path_of(project_dir)
    value = asdict(state) | {"process_started": state.process_started or _process(state.pid)[1]}
    temporary = path.with_name(f".dev-{secrets.token_hex(4)}.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise store_error("write", str(path), error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def read(project_dir: Path) -> DevState | None:
    """Return the content of the state file, also if the process has ended; None without a file.

    Raises:
        ConfigError: the file cannot be read, or is not a state file.
    """
    path = path_of(project_dir)
    try:
        value = read_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    return _parse(path, value)


def remove(project_dir: Path, pid: int) -> None:
    """Remove the state file if it belongs to the process ``pid``."""
    with contextlib.suppress(ConfigError, OSError):
        state = read(project_dir)
        if state is not None and state.pid == pid:
            path_of(project_dir).unlink()


def _parse(path: Path, value: Any) -> DevState:
    if not isinstance(value, dict):
        raise _unusable(path, "it is not a JSON object")
    for key in _TEXTS:
        if not isinstance(value.get(key), str) or not value[key]:
            raise _unusable(path, f"{key!r} is not a text")
    pid = value.get("pid")
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid <= _LARGEST_PID:
        raise _unusable(path, "'pid' is not the number of a process")
    optional = {key: text for key in _OPTIONAL_TEXTS if isinstance(text := value.get(key), str) and text}
    started = value.get("process_started")
    return DevState(
        pid=pid,
        is_starting=value.get("is_starting") is True,
        process_started=started if isinstance(started, str) else "",
        **{key: value[key] for key in _TEXTS},
        **optional,
    )


def _process(pid: int) -> tuple[str, str]:
    """Return the state letter and the start time of a process on Linux; elsewhere two empty texts."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "", ""
    # The second field, the program's name in parentheses, may contain spaces and parentheses.
    after_name = text.rpartition(")")[2].split()
    return after_name[0], after_name[19]


def _unusable(path: Path, reason: str) -> ConfigError:
    return ConfigError(f"cannot use {path}: {reason}", hint="remove it, and start `flytemp dev` again")
