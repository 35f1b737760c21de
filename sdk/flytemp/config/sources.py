"""Sources of settings: flags, environment variables and files. Unknown settings are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flytemp.config.fields import ALL_FIELDS, FIELDS, SECTIONS, Field
from flytemp.config.files import TomlFile
from flytemp.errors import ConfigError, Location
from flytemp.suggest import nearest, suggest

OTHER_VARIABLES = frozenset({"FLYTEMP_COMPLETE", "FLYTEMP_SECRETS_ENV_PREFIX", "FLYTEMP_SECRETS_DEFAULT_DIR"})
"""Variables with the prefix FLYTEMP_ that are not settings."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value, its origin, and the base folder of a relative path in it."""

    value: Any
    origin: str
    base: Path


class Source:
    """Values of settings by key."""

    def __init__(self, values: Mapping[str, tuple[object, str, Location | None]], base: Path) -> None:
        self._values = values
        self._base = base

    def find(self, field: Field) -> Found | None:
        """Return the value of a setting, or None if the source does not have it.

        Raises:
            ConfigError: the value is not valid for the setting.
        """
        if field.key not in self._values:
            return None
        value, origin, location = self._values[field.key]
        try:
            return Found(field.parse(value), origin, self._base)
        except ValueError as error:
            message = f"{field.key} = {value!r}, from {origin}: the value must be {error}"
            raise ConfigError(message, hint="correct the value, or remove it to use the default", location=location) from error


def from_flags(overrides: Mapping[str, str], base: Path) -> Source:
    """Return the source of flags, by the setting's key or name (``worker.slots``, ``slots``).

    Raises:
        ConfigError: a flag is not a setting.
    """
    known = {name: field for field in reversed(ALL_FIELDS) for name in (field.key, field.name, field.key.replace(".", "_"))}
    values: dict[str, tuple[object, str, Location | None]] = {}
    for name, value in overrides.items():
        if name not in known:
            raise ConfigError(f"{name!r} is not a setting", hint=_known(name, [field.key for field in ALL_FIELDS]))
        values[known[name].key] = (value, known[name].flag, None)
    return Source(values, base)


def from_environment(environ: Mapping[str, str], base: Path) -> tuple[Source, list[str]]:
    """Return the source of environment variables, of which empty ones are ignored, and notes about misspelt variables."""
    values: dict[str, tuple[object, str, Location | None]] = {}
    for field in ALL_FIELDS:
        for variable in field.variables:
            if environ.get(variable):
                values[field.key] = (environ[variable], f"environment {variable}", None)
                break
    known = [variable for field in ALL_FIELDS for variable in field.variables]
    notes: list[str] = []
    for variable in sorted(environ):
        if variable.startswith("FLYTEMP_") and variable not in known and variable not in OTHER_VARIABLES:
            near = nearest(variable, known, similarity=0.8)
            if near:
                notes.append(f"the variable {variable} is not a setting; did you mean {near[0]}?")
    return Source(values, base), notes


def from_file(file: TomlFile | None) -> Source:
    """Return the source of the project's flytemp.toml.

    Raises:
        ConfigError: a key or section is not a setting; the error has the line.
    """
    if file is None:
        return Source({}, Path())
    origin = f"flytemp.toml ({file.path})"
    sections = {name: file.values.get(name, {}) for name in SECTIONS}
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise ConfigError(f"{name!r} must be a section", hint=f"write [{name}]", location=file.location(name))
        _refuse_unknown(file, section, SECTIONS[name], name)
    _refuse_unknown(file, {key: value for key, value in file.values.items() if key not in SECTIONS}, FIELDS, "")
    values: dict[str, tuple[object, str, Location | None]] = {}
    for fields, known in ((FIELDS, file.values), *((SECTIONS[name], section) for name, section in sections.items())):
        for field in fields:
            if field.name in known:
                values[field.key] = (known[field.name], origin, file.location(field.name, field.section))
    return Source(values, file.path.parent)


def _refuse_unknown(file: TomlFile, values: Mapping[str, object], fields: tuple[Field, ...], section: str) -> None:
    names = [field.name for field in fields]
    for key, value in values.items():
        if key in names:
            continue
        shown = f"[{key}]" if isinstance(value, dict) else repr(key)
        where = f" in [{section}]" if section else ""
        elsewhere = [field for field in ALL_FIELDS if field.name == key]
        if elsewhere:
            hint = f"move it to [{elsewhere[0].section}]" if elsewhere[0].section else "move it above the sections"
        else:
            hint = _known(key, [*names, *SECTIONS] if not section else names)
        raise ConfigError(f"{shown}{where} is not a setting", hint=hint, location=file.location(key, section))


def _known(name: str, names: list[str]) -> str:
    return suggest(name, names, f"settings are {', '.join(names)}")
