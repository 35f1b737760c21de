"""Warnings about the content of a code bundle: files that tasks lack, and files that may be secret."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from flytemp.bundle.contents import Contents, Entry, Ignored
from flytemp.compiler.source_texts import SourceText, SourceTexts
from flytemp.errors import Location, Problem

_SECRET_NAMES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk"),
    *("credentials", "credentials.json", "credentials.y*ml", "client_secret*.json", "service[-_]account*.json", "kubeconfig"),
    *("application_default_credentials.json", "secrets.json", "secrets.toml", "secrets.y*ml", ".dockercfg", "*.tfstate"),
)
_SECRET_PATHS = ("*.aws/*", "*.ssh/*", "*.gnupg/*", "*.kube/config", "*.docker/config.json", "*.azure/*", "*.config/gcloud/*")
_NOT_SECRET = ("*.example", "*.sample", "*.template", "*.dist", "*.pub", "known_hosts", "example.env", "sample.env")
_SHOWN = 5
_LONGEST_PATH = 500
_MOST_PARENTS = 2
_ANY_FOLDER = ("/", "*", "**")  # at the start of a text: the code adds it to the path of a folder
_SOURCE_BYTES = 1_000_000  # larger files are not searched: such modules are generated


def bundle_warnings(contents: Contents) -> list[Problem]:
    """Return the warnings about what a bundle contains and what it lacks."""
    return [*_secrets(contents.entries), *_lacking(contents)]


# ------------------------------------------------------------------------------------------ secrets


def _secrets(entries: Sequence[Entry]) -> Iterator[Problem]:
    found = [entry.name for entry in entries if entry.link is None and _may_be_secret(entry.name) and not _is_public(entry)]
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield Problem(
            f"the code bundle contains files that may be secret: {', '.join(found[:_SHOWN])}{more}",
            None,
            "readers of the store can read them: list them in .flytempignore, and pass secrets with `secret_requests`",
        )


def _may_be_secret(name: str) -> bool:
    last, lower = name.rpartition("/")[2].lower(), f"/{name.lower()}"
    if any(fnmatchcase(last, pattern) for pattern in _NOT_SECRET):
        return False
    return any(fnmatchcase(last, pattern) for pattern in _SECRET_NAMES) or any(fnmatchcase(lower, p) for p in _SECRET_PATHS)


def _is_public(entry: Entry) -> bool:
    """Return whether a file has certificates only, such as those of a database's authority."""
    if not entry.name.endswith(".pem") or entry.size > _SOURCE_BYTES:
        return False
    try:
        content = entry.path.read_bytes()
    except OSError:
        return False
    return b"-----BEGIN CERTIFICATE" in content and b"PRIVATE KEY" not in content


# ------------------------------------------------------------------------------------ missing files


def _lacking(contents: Contents) -> Iterator[Problem]:
    """Yield a warning for each file or folder that the bundled code names, and that only this machine has at that path."""
    left = {ignored.name: ignored for ignored in contents.ignored}
    seen: set[str] = set()
    for entry in contents.entries:
        if not entry.name.endswith(".py") or entry.size > _SOURCE_BYTES:
            continue
        source = SourceTexts.read(entry.path)
        for text in source.texts:
            for ignored in [one for one in left.values() if _fits(text, one)]:
                del left[ignored.name]
                yield _ignored_data(ignored, Location(str(entry.path), text.line))
            if text.text not in seen:
                seen.add(text.text)
                yield from _elsewhere(text, entry.path, contents)
        for module, line in source.imports:
            for ignored in [one for one in left.values() if _is_module(module, one, contents.root)]:
                del left[ignored.name]
                yield _ignored_module(ignored, Location(str(entry.path), line))


def _keep(path: str) -> str:
    return f"add the line `!/{path}` to .flytempignore in the root to bundle it"


def _ignored_module(ignored: Ignored, where: Location) -> Problem:
    return Problem(
        f"the module {ignored.name} is excluded from the bundle by {ignored.rule_file}: workers cannot import it",
        where,
        _keep(ignored.name),
    )


def _ignored_data(ignored: Ignored, where: Location) -> Problem:
    kind, path = ("folder", f"{ignored.name}/") if ignored.is_folder else ("file", ignored.name)
    return Problem(
        f"the code names the {kind} {path}, which {ignored.rule_file} excludes from the bundle: workers do not have it",
        where,
        f"{_keep(path)}, or pass the data as a FlyteFile or FlyteDirectory",
    )


def _elsewhere(text: SourceText, source: Path, contents: Contents) -> Iterator[Problem]:
    """Yield a warning if a text is the path of an existing file that a task does not find there.

    The path is relative to the current folder, or the code adds it to the path of a folder above the root.
    """
    path, where = text.text, Location(str(source), text.line)
    if not (text.opens or text.in_path) or len(path) > _LONGEST_PATH or "\0" in path or not ("." in path or "/" in path):
        return
    if os.path.isabs(path):
        return
    if text.opens and _is_file(Path(path)):
        yield Problem(
            f"the code names the file {path!r} relative to the current folder: the current folder of a task is empty",
            where,
            "read a bundled file as `Path(__file__).parent / ...`, or pass the data as a FlyteFile",
        )
        return
    for folder in (source.parent, contents.root, *contents.root.parents[:_MOST_PARENTS]):
        found = Path(os.path.normpath(folder / path))
        if _is_file(found):
            if not found.is_relative_to(contents.root):
                yield Problem(
                    f"the code names {path!r}, which exists as {found}, outside of the bundle's root {contents.root}: "
                    "workers do not have it",
                    where,
                    "move the file below the root, or pass the data as a FlyteFile",
                )
            return


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_module(module: str, ignored: Ignored, root: Path) -> bool:
    """Return whether an ignored file or folder is a module, or has it. A folder of data may have the name of a library."""
    own = ignored.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    is_own = own == module or own.endswith("." + module)
    if not ignored.is_folder:
        return is_own and ignored.name.endswith(".py")
    if is_own:
        return any((root / ignored.name).glob("*.py"))
    if not module.startswith(own + "."):
        return False
    place = root.joinpath(*module.split("."))
    return _is_file(place.with_name(f"{place.name}.py")) or any(place.glob("*.py"))


def _fits(text: SourceText, ignored: Ignored) -> bool:
    """Return whether a text in the code is the path of an ignored file, of a file in an ignored folder, or a pattern of them.

    The text may be relative to any folder: ``prices.csv``, ``data/prices.csv`` and ``*.csv`` name ``src/data/prices.csv``. A
    single word, such as "data", names a folder only where the code builds a path.
    """
    path = text.text.strip().replace("\\", "/")
    if not path or len(path) > _LONGEST_PATH or "\n" in path or "://" in path:
        return False
    parts = [part for part in PurePosixPath(path).parts if part != ".."]
    while len(parts) > 1 and parts[0] in _ANY_FOLDER:
        del parts[0]
    own = ignored.name.split("/")
    if not parts or not parts[-1].strip("*?.") or (len(parts) == 1 and "." not in parts[0] and not text.in_path):
        return False
    ends = range(1, len(parts) + 1) if ignored.is_folder else (len(parts),)
    return any(
        end <= len(own) and all(fnmatchcase(mine, part) for mine, part in zip(own[-end:], parts[:end], strict=True))
        for end in ends
    )
