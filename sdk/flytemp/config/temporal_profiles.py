"""Temporal's own configuration file, read only to show and to choose: its secrets stay in it."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flytemp.config.files import TomlFile, read_toml
from flytemp.errors import ConfigError

DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile says of the settings that flytemp shows; ``path`` is its file."""

    name: str
    path: Path
    values: Mapping[str, str]


def config_file(environ: Mapping[str, str]) -> Path | None:
    """Where Temporal looks for its configuration: ``TEMPORAL_CONFIG_FILE``, else the platform's usual place."""
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
    """The profile ``name``, or the default one where it is None, which need not exist.

    Raises:
        ConfigError: when the file is damaged, or has no profile of that name; the text lists those there are.
    """
    file = read_toml(path) if path is not None else None
    profiles = file.values.get("profile", {}) if file is not None else {}
    if file is not None and not isinstance(profiles, dict):
        raise ConfigError("'profile' must hold sections [profile.NAME]", location=file.location("profile"))
    wanted = name or DEFAULT_PROFILE
    if file is not None and wanted in profiles:
        return Profile(wanted, file.path, _values(file, wanted, profiles[wanted]))
    if name is None:
        return None
    raise ConfigError(f"there is no Temporal profile {name!r}: {_there(path, file, list(profiles))}", hint=_hint(name, profiles))


def _values(file: TomlFile, name: str, section: object) -> dict[str, str]:
    if not isinstance(section, dict):
        raise ConfigError(f"'profile.{name}' is not a section", location=file.location(name, "profile"))
    values: dict[str, str] = {}
    for key in ("address", "namespace"):
        value = section.get(key)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            message = f"'{key}' of the Temporal profile {name!r} must be a text"
            raise ConfigError(message, hint=f'for instance {key} = "…"', location=file.location(key, f"profile.{name}"))
        values[key] = value
    return values


def _there(path: Path | None, file: TomlFile | None, profiles: list[str]) -> str:
    if path is None:
        return "no configuration file of Temporal is known"
    if file is None:
        return f"there is no file {path}"
    return f"{path} has {', '.join(sorted(profiles)) or 'none'}"


def _hint(name: str, profiles: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, list(profiles), 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return "choose one of these by --profile, TEMPORAL_PROFILE or `profile` in flytemp.toml; `temporal config set` makes one"
