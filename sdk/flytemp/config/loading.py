"""Loading of the settings from all their sources.

The first source with a value has precedence:

1. a flag;
2. a variable, ``FLYTEMP_…`` or Temporal's own ``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``, ``TEMPORAL_PROFILE``;
3. ``flytemp.toml`` of the project;
4. the profile of Temporal's configuration that one of these selects;
5. the `flytemp dev` that runs in the project, unless 1 to 4 select another Temporal server;
6. the default profile of Temporal's configuration, without such a `flytemp dev`;
7. the default.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flytemp import names
from flytemp.config import dev_state
from flytemp.config.dev_state import DevState
from flytemp.config.fields import FIELDS, KUBERNETES_FIELDS, WORKER_FIELDS, Field
from flytemp.config.files import read_toml
from flytemp.config.ownership import foreign_owner
from flytemp.config.settings import KubernetesSettings, Settings, WorkerSettings
from flytemp.config.sources import Found, Source, from_environment, from_file, from_flags
from flytemp.config.temporal_profiles import Profile, config_file, find_profile
from flytemp.errors import ConfigError, InputError
from flytemp.store.keys import local_path, normalise_store_uri

logger = logging.getLogger(__name__)

_warned: set[str] = set()  # a command may load the settings several times

PROJECT_FILE = "flytemp.toml"
_LOCAL_ADDRESS = "localhost:7233"
_LOCAL_UI = "http://localhost:8233"
_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        "project": names.DEFAULT_PROJECT,
        "domain": names.DEFAULT_DOMAIN,
        "allowed_uri_prefixes": (),
        "task_queue": "flytemp",
        "address": _LOCAL_ADDRESS,
        "namespace": "default",
        "profile": None,
        "worker.backend": "process",
        "worker.grace_seconds": 10.0,
        "worker.drain_seconds": 30.0,
        "worker.recycle_after": 100,
        "worker.max_parallelism": 25,
        "worker.max_in_flight": 1_000,
        "worker.max_system_tries": 10,
        "worker.continue_as_new_events": 7_500,
        "worker.continue_as_new_drain_seconds": 30.0,
        "worker.max_map_items": 1_000,
        "worker.max_dynamic_depth": 50,
        "worker.pool": "",
        "worker.pass_environment": (),
        "worker.metrics_address": "127.0.0.1:9464",
        "worker.sdk_metrics_address": "",
        "kubernetes.pods": 1_000,
    }
)

_HEARTBEATS: Mapping[str, float] = MappingProxyType({"process": 10.0, "noop": 10.0, "kubernetes": 60.0})
"""Pods report less often than processes: pods survive their worker, and one worker may have thousands of them."""


def load_settings(
    start: Path | None = None,
    *,
    overrides: Mapping[str, str] = MappingProxyType({}),
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings for a project.

    Args:
        start: a folder or file of the project; by default the current folder.
        overrides: the values of flags by the setting's key.
        environ: environment variables.

    Raises:
        ConfigError: a file, key, value or profile is not valid; the error has the file and line, if there is one.
    """
    here = Path(os.path.abspath(start or Path.cwd()))
    if here.is_file():
        here = here.parent
    environment, notes = from_environment(environ, Path.cwd())
    project_dir, ignored = find_project_dir(here)
    for note in ignored:
        if note not in _warned:
            _warned.add(note)
            logger.warning("%s", note)
    sources = [from_flags(overrides, Path.cwd()), environment, from_file(read_toml(project_dir / PROJECT_FILE))]
    return _Loader(project_dir, here, sources, [*notes, *ignored]).settings(environ)


def find_project_dir(start: Path) -> tuple[Path, list[str]]:
    """Return the nearest parent folder with ``flytemp.toml``, else with ``.flytemp``, else ``start``.

    Files and folders of other users are ignored, see `foreign_owner`; the second value has a note about each.
    """
    folders, notes = (start, *start.parents), list[str]()
    for name, exists in ((PROJECT_FILE, Path.is_file), (dev_state.STATE_FOLDER, Path.is_dir)):
        for folder in folders:
            path = folder / name
            if not exists(path):
                continue
            owner = foreign_owner(path, start)
            if owner is None:
                return folder, notes
            notes.append(f"{path} is ignored: it belongs to {owner}; run the command in its folder to use it")
    return start, notes


@dataclass(slots=True)
class _Loader:
    project_dir: Path
    start: Path
    sources: list[Source]
    notes: list[str]
    origins: dict[str, str] = field(default_factory=dict)

    def settings(self, environ: Mapping[str, str]) -> Settings:
        values = {item.name: self._find(item) for item in FIELDS}
        profile_name = values["profile"].value if values["profile"] else None
        file = config_file(environ)
        profile = find_profile(file, profile_name)
        dev = self._dev(values["address"], profile_name)
        if dev is not None:
            self._fill(values, _dev_values(dev, self.project_dir))
        elif profile is not None:
            self._fill(values, _profile_values(profile))
        found = {key: self._effective(key, value) for key, value in values.items()}
        store = self._absolute_uri("store", found["store"], f"file://{self.project_dir / dev_state.STATE_FOLDER / 'store'}")
        return Settings(
            project=found["project"].value,
            domain=found["domain"].value,
            store=store,
            raw_data_prefix=self._absolute_uri("raw_data_prefix", found["raw_data_prefix"], f"{store}/data"),
            allowed_uri_prefixes=found["allowed_uri_prefixes"].value,
            task_queue=found["task_queue"].value,
            address=found["address"].value,
            namespace=found["namespace"].value,
            profile=profile_name,
            config_file=self._config_file(file, environ),
            ui_url=self._ui_url(found["ui_url"], found["address"].value),
            project_dir=self._project_dir(),
            state_dir=self._state_dir(found["state_dir"]),
            worker=self._worker(),
            kubernetes=self._kubernetes(),
            dev=dev,
            origins=MappingProxyType(self.origins),
            notes=tuple(self.notes),
        )

    def _find(self, item: Field) -> Found | None:
        for source in self.sources:
            found = source.find(item)
            if found is not None:
                return found
        return None

    def _effective(self, key: str, found: Found | None) -> Found:
        effective = found or Found(_DEFAULTS.get(key), "default", self.project_dir)
        self.origins[key] = effective.origin
        return effective

    @staticmethod
    def _fill(values: dict[str, Found | None], more: Mapping[str, Found]) -> None:
        for key, found in more.items():
            if values[key] is None:
                values[key] = found

    def _dev(self, address: Found | None, profile: str | None) -> DevState | None:
        """Return the running `flytemp dev` of the project, unless another Temporal server is selected."""
        path = dev_state.path_of(self.project_dir)
        try:
            state = dev_state.read(self.project_dir)
        except ConfigError as error:
            self.notes.append(f"{error.message}; it is ignored")
            return None
        if state is None:
            return None
        if (owner := foreign_owner(path, self.start)) is not None:
            self.notes.append(f"{path} is ignored: it belongs to {owner}")
            return None
        if not state.is_alive:
            self.notes.append(f"{path} is ignored: its `flytemp dev` (process {state.pid}) has ended")
            return None
        reason = None
        if address is not None and address.value != state.address:
            reason = f"the address comes from {address.origin}"
        elif address is None and profile is not None:
            reason = f"the Temporal profile {profile!r} was chosen"
        if reason is not None:
            self.notes.append(f"the `flytemp dev` of {self.project_dir} at {state.address} is not used: {reason}")
            return None
        return state

    def _absolute_uri(self, key: str, found: Found, default: str) -> str:
        """Return a folder or URI in its absolute form."""
        if found.value is None:
            return normalise_store_uri(default)
        text = str(found.value)
        path = local_path(text)
        if path is not None and not path.startswith("/"):
            text = os.path.normpath(found.base / os.path.expanduser(path))
        try:
            return normalise_store_uri(text)
        except InputError as error:
            raise ConfigError(f"{key}, from {found.origin}: {error.message}", hint=error.hint) from error

    def _state_dir(self, found: Found) -> Path:
        if found.value is None:
            return self.project_dir / dev_state.STATE_FOLDER
        return Path(os.path.normpath(found.base / os.path.expanduser(found.value)))

    def _project_dir(self) -> Path:
        marker = next((name for name in (PROJECT_FILE, dev_state.STATE_FOLDER) if (self.project_dir / name).exists()), "")
        self.origins["project_dir"] = f"the folder with {marker}" if marker else "the current folder"
        return self.project_dir

    def _config_file(self, path: Path | None, environ: Mapping[str, str]) -> Path | None:
        named = bool(environ.get("TEMPORAL_CONFIG_FILE"))
        self.origins["config_file"] = "environment TEMPORAL_CONFIG_FILE" if named else "default"
        if path is None or path.exists():
            return path
        if named:
            self.notes.append(f"the file of TEMPORAL_CONFIG_FILE does not exist: {path}")
        return None

    def _ui_url(self, found: Found, address: str) -> str | None:
        if found.value is None and address == _LOCAL_ADDRESS:
            return _LOCAL_UI  # the default address of a local server's UI
        return None if found.value is None else str(found.value)

    def _worker(self) -> WorkerSettings:
        values: dict[str, Any] = {}
        for item in WORKER_FIELDS:
            found = self._effective(item.key, self._find(item))
            values[item.name] = found.value
        if values["slots"] is None:
            values["slots"] = _cpus()
            self.origins["worker.slots"] = "default (one per CPU)"
        if values["heartbeat_seconds"] is None:
            values["heartbeat_seconds"] = _HEARTBEATS[values["backend"]]
        return WorkerSettings(**values)

    def _kubernetes(self) -> KubernetesSettings:
        values: dict[str, Any] = {}
        for item in KUBERNETES_FIELDS:
            found = self._effective(item.key, self._find(item))
            values[item.name] = found.value
            if item.name in ("kubeconfig", "policy") and found.value is not None:
                values[item.name] = os.path.normpath(found.base / os.path.expanduser(found.value))
        if values["policy"] is not None:
            values["policy"] = Path(values["policy"])
        return KubernetesSettings(**values)


def _dev_values(state: DevState, project_dir: Path) -> dict[str, Found]:
    origin = f"flytemp dev ({dev_state.path_of(project_dir)})"
    keys = ("address", "namespace", "store", "task_queue", "ui_url")
    return {key: Found(value, origin, project_dir) for key in keys if (value := getattr(state, key)) is not None}


def _profile_values(profile: Profile) -> dict[str, Found]:
    origin = f"temporal profile {profile.name} ({profile.path})"
    return {key: Found(value, origin, profile.path.parent) for key, value in profile.values.items()}


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))  # the CPUs of this process, not of the machine
    return os.cpu_count() or 1
