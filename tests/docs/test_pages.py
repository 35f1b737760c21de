"""Targets of links, quoted files, commands, options and recipes named on the pages exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from flytemp_cli.lazy_imports import LazyGroup
from flytemp_cli.main import PROGRAM, cli
from flytemp_cli.targets import TargetCommand
from tests.docs.blocks import ROOT, Block, blocks, pages

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SHELL = ("sh", "bash", "console")
_END_OF_COMMAND = frozenset({"|", ">", ">>", "<", "&&", ";", "&"})


def _identity(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=_identity)
def test_link_targets_exist(page: Path) -> None:
    missing = []
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)

    assert missing == []


def test_every_page_is_reachable() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in _LINK.findall(index)}

    assert {page for page in pages() if page.is_relative_to(ROOT / "docs")} == linked | {ROOT / "docs/README.md"}


@pytest.mark.parametrize("page", pages(), ids=_identity)
def test_quoted_code_is_in_its_file(page: Path) -> None:
    for block in blocks(page):
        source = block.mark("from")
        if source is not None and source.startswith("examples/"):
            assert block.text in (ROOT / source).read_text(encoding="utf-8"), str(block)


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the words of every `flytemp …` command of a shell block."""
    for line in block.text.replace("\\\n", " ").splitlines():
        command: list[str] = []
        for word in [*shlex.split(line, comments=True), ";"]:
            if word not in _END_OF_COMMAND:
                command.append(word)
                continue
            if command[:1] == [PROGRAM]:
                yield command[1:]
            command = []


def problems(words: list[str]) -> list[str]:
    """Return the unknown commands and options of a command line."""
    command: click.Command = cli
    context = click.Context(cli, info_name=PROGRAM)
    rest = list(words)
    while isinstance(command, LazyGroup) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(context, name)
        if found is None:
            return [f"there is no command {name}"]
        command, context = found, click.Context(found, parent=context, info_name=name)
    known = {flag for param in command.get_params(context) for flag in (*param.opts, *param.secondary_opts)}
    # The flags of `run` and `launch` are inputs, which depend on the program.
    flags = [] if isinstance(command, TargetCommand) else [word.partition("=")[0] for word in rest if word[:1] == "-"]
    return [f"{' '.join(words)}: there is no {flag}" for flag in flags if flag not in known and flag != "-"]


@pytest.mark.parametrize("page", pages(), ids=_identity)
def test_commands_and_options_exist(page: Path) -> None:
    found = [
        f"{block}: {problem}"
        for block in blocks(page)
        if block.language in _SHELL
        for words in commands(block)
        for problem in problems(words)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        pytest.param(["registr", "src/"], ["there is no command registr"], id="command"),
        pytest.param(["register", "--dry"], ["register --dry: there is no --dry"], id="option"),
        pytest.param(["list", "execution", "--limit", "3"], [], id="alias"),
        pytest.param(["launch", "my_wf", "--x", "3"], [], id="inputs"),
    ],
)
def test_problems_of_commands_are_found(words: list[str], wrong: list[str]) -> None:
    assert problems(words) == wrong


@pytest.mark.parametrize("page", pages(), ids=_identity)
def test_commands_named_in_sentences_exist(page: Path) -> None:
    named = re.findall(r"`flytemp ([a-z][a-z-]*)", page.read_text(encoding="utf-8"))

    assert set(named) <= set(cli.list_commands(click.Context(cli)))


@pytest.mark.parametrize("page", pages(), ids=_identity)
def test_recipes_exist(page: Path) -> None:
    recipes = set(re.findall(r"^([a-z][a-z0-9-]*)(?: [^:\n]*)?:", (ROOT / "justfile").read_text(), re.MULTILINE))
    shell = "\n".join(block.text for block in blocks(page) if block.language in _SHELL)
    named = re.findall(r"`just ([a-z][a-z0-9-]*)", page.read_text(encoding="utf-8"))
    named += re.findall(r"(?:^|/)just ([a-z][a-z0-9-]*)", shell, re.MULTILINE)

    assert set(named) <= recipes


def test_files_named_in_contributing_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:sdk|activities|worker|cli)/[\w/]+(?:\.py|/))`", text)

    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []
