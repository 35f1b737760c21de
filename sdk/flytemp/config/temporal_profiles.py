"""Temporal's own configuration file. Only addresses and namespaces are read, not secrets."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flytemp.config.files import TomlFile, read_toml
from flytemp.errors import ConfigError
from flytemp.suggest import suggest

DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: its name, its file, and its values of flytemp's settings."""

    name: str
    path: Path
    values: Mapping[str, str]


def config_file(environ: Mapping[str, str]) -> Path | None:
    """Return the path of Temporal's configuration: ``TEMPORAL_CONFIG_FILE``, else the default of the platform."""
    named = environ.get("TEMPORAL_CONFIG_FILE")
    if named:
        return Path(named).expanduser()
    home = environ.get("HOME") or environ.get("USERPROFILE")
    base: str | None
    if sys.platform == "darwin":
        base = os.path.join(home, "Library", "Application Support") if home else None
    elif sys.platform == "win32":
        base = environ.get("APPDATA")
    else:
        base = environ.get("XDG_CONFIG_HOME") or (os.path.join(home, ".config") if home else None)
    return Path(base, "temporalio", "temporal.toml") if base else None


def find_profile(path: Path | None, name: str | None) -> Profile | None:
    """Return the profile ``name``. For None, return the default profile, or None if it does not exist.

    Raises:
        ConfigError: the file is damaged, or has no such profile; the message has the existing profiles.
    """
    file = read_toml(path) if path is not None else None
    profiles = file.values.get("profile", {}) if file is not None else {}
    if file is not None and not isinstance(profiles, dict):
        raise ConfigError("'profile' must have sections [profile.NAME]", location=file.location("profile"))
    wanted = name or DEFAULT_PROFILE
    if file is not None and wanted in profiles:
        return Profile(wanted, file.path, _values(file, wanted, profiles[wanted]))
    if name is None:
        return None
    message = f"the Temporal profile {name!r} does not exist: {_existing(path, file, list(profiles))}"
    raise ConfigError(message, hint=_hint(name, profiles))


def _values(file: TomlFile, name: str, section: object) -> dict[str, str]:
    if not isinstance(section, dict):
        raise ConfigError(f"'profile.{name}' is not a section", location=file.location(name, "profile"))
    values: dict[str, str] = {}
    for key in ("address", "namespace"):
        value = section.get(key)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            message = f"'{key}' of the Temporal profile {name!r} must be text"
            raise ConfigError(message, hint=f'for instance {key} = "…"', location=file.location(key, f"profile.{name}"))
        values[key] = value
    return values


def _existing(path: Path | None, file: TomlFile | None, profiles: list[str]) -> str:
    if path is None:
        return "Temporal has no configuration file"
    if file is None:
        return f"the file {path} does not exist"
    return f"{path} has the profiles {', '.join(sorted(profiles))}" if profiles else f"{path} has no profiles"


def _hint(name: str, profiles: Mapping[str, object]) -> str:
    return suggest(
        name,
        profiles,
        "select a profile by --profile, TEMPORAL_PROFILE or `profile` in flytemp.toml; `temporal config set` creates one",
    )
