"""TOML files with the lines of their keys, for error messages."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flytemp.errors import ConfigError, Location

_POSITION = re.compile(r"\s*\(at line (\d+), column \d+\)|\s*\(at end of document\)")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A TOML file: its text and its values."""

    path: Path
    text: str
    values: dict[str, Any]

    def location(self, key: str, section: str = "") -> Location:
        """Return the line of ``key`` in ``[section]``, else the line of the section, else the first line."""
        found, current = 1, ""
        for number, line in enumerate(self.text.splitlines(), start=1):
            header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
            if header:
                current = re.sub(r"[\"'\s]", "", header[1])
                found = number if current in (section, key) else found
            elif current == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
                return Location(str(self.path), number)
        return Location(str(self.path), found)


def read_toml(path: Path) -> TomlFile | None:
    """Read a file; return None if it does not exist.

    Raises:
        ConfigError: the file cannot be read or is not TOML; the error has the line.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder, not a file", hint="use the path of a TOML file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint="make it readable UTF-8 text") from error
    try:
        return TomlFile(path, text, tomllib.loads(text))
    except RecursionError:
        message = "the file is nested too deeply"
        raise ConfigError(message, hint="write settings as key = value", location=Location(str(path), 1)) from None
    except tomllib.TOMLDecodeError as error:
        match = _POSITION.search(str(error))
        line = int(match[1]) if match and match[1] else len(text.splitlines()) or 1
        raise ConfigError(
            f"the file is not TOML: {_POSITION.sub('', str(error))}",
            hint='a setting is a line like: store = "s3://bucket/prefix"',
            location=Location(str(path), line),
        ) from error
