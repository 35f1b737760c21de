"""Conversion of flags and documents to literals, and its errors."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest

from flytemp.literals.types import (
    BlobType,
    EnumType,
    ListType,
    LiteralType,
    MapType,
    SimpleType,
    StructField,
    StructType,
    UnionType,
)
from flytemp.spec.models import Interface, Variable
from flytemp_cli.error_report import InputUsageError
from flytemp_cli.inputs import collect_literals, read_document
from flytemp_cli.launching import launch_options, options_of
from flytemp_cli.session import Session
from flytemp_cli.targets import LaunchOption, Target, TargetCommand
from tests.messages.golden import Case, check_golden

INT = SimpleType(kind="integer")
STR = SimpleType(kind="string")
BOOL = SimpleType(kind="boolean")
NONE = SimpleType(kind="none")
POINT = StructType(name="pkg.Point", fields=(StructField(name="x", type=INT), StructField(name="y", type=INT)))


def interface(**types: LiteralType) -> Interface:
    """Return an interface with required inputs of these types."""
    return Interface(inputs=tuple(Variable(name=name, type=type_) for name, type_ in types.items()))


def parse(words: Sequence[str], inputs: Interface) -> tuple[dict[str, str], Mapping[str, Any]]:
    """Return the texts and the options of a command with these inputs."""
    seen: list[tuple[dict[str, str], Mapping[str, Any]]] = []

    def run(_session: Session, _target: Target, texts: dict[str, str], options: Mapping[str, Any]) -> int:
        seen.append((texts, options))
        return 0

    command = TargetCommand(
        "launch",
        words={"NAME": None},
        required=1,
        options=lambda: [LaunchOption("--name"), LaunchOption("--wait", is_flag=True), click.Option(["--version"])],
        load=lambda *_: Target("", "", inputs, None),
        run=run,
    )
    click.Group("flytemp", commands=[command]).main(["launch", *words], standalone_mode=False, obj=Session())
    return seen[0]


def literals(words: Sequence[str], inputs: Interface, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return collect_literals(inputs, parse(["wf", *words], inputs)[0], document or {})


@pytest.mark.parametrize(
    ("type_", "words", "literal"),
    [
        (INT, ["--my-input", "3"], 3),
        (INT, ["--my_input", "-3"], -3),
        (INT, ["--my-input=3"], 3),
        (INT, ["--input.my_input", "3"], 3),
        (INT, ["--input.my-input", "3"], 3),
        (SimpleType(kind="float"), ["--my-input", "1e-3"], 0.001),
        (STR, ["--my-input", "@home"], "@home"),
        (STR, ["--my-input", "--wait"], "--wait"),
        (STR, ["--my-input", ""], ""),
        (BOOL, ["--my-input"], True),
        (BOOL, ["--no-my-input"], False),
        (BOOL, ["--no_my_input"], False),
        (BOOL, ["--my-input", "true"], True),
        (BOOL, ["--my-input", "false"], False),
        (BOOL, ["--my-input", "--wait"], True),
        (UnionType(variants=(BOOL, NONE)), ["--my-input", "none"], None),
        (UnionType(variants=(INT, NONE)), ["--my-input", "3"], 3),
        (ListType(item=INT), ["--my-input", "[1, 2]"], [1, 2]),
        (MapType(key=STR, value=INT), ["--my-input", '{"a": 1}'], {"a": 1}),
        (POINT, ["--my-input", '{"x": 1, "y": 2}'], {"x": 1, "y": 2}),
        (EnumType(name="Color", values=("red", "green")), ["--my-input", "red"], "red"),
        (SimpleType(kind="duration"), ["--my-input", "1h30m"], "PT1H30M"),
        (SimpleType(kind="date"), ["--my-input", "2026-01-31"], "2026-01-31"),
        (BlobType(kind="file", format="csv"), ["--my-input", "s3://b/x.csv"], {"uri": "s3://b/x.csv", "format": "csv"}),
    ],
)
def test_flags_become_literals(type_: LiteralType, words: list[str], literal: object) -> None:
    assert literals(words, interface(my_input=type_)) == {"my_input": literal}


def test_json_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "points.json"
    file.write_text('[{"x": 1, "y": 2}]')

    assert literals(["--points", f"@{file}"], interface(points=ListType(item=POINT))) == {"points": [{"x": 1, "y": 2}]}


def test_invalid_inputs_are_usage_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = interface(x=INT, flag=BOOL)
    flags = ["--xx 1", "--x 1 --flag --no-flag", "--x abc", "--x 1", "--x @nothing.json --flag", "--flag maybe --x 1"]
    files = {"a list": "[1, 2]", "neither JSON nor YAML": "{x: 1", "a number as a key": "1: x"}
    for name, text in files.items():
        Path(name).write_text(text)
    documents: list[dict[str, Any]] = [{"z": 1}, {"x": "text"}, {"x": True}]
    scaled = Interface(inputs=(Variable(name="x", type=INT), Variable(name="scale", type=INT, required=False, default=2)))

    def refused(call: Callable[[], object]) -> Case:
        def text() -> str:
            with pytest.raises(InputUsageError) as caught:
                call()
            return f"{caught.value.message}\nhint: {caught.value.hint}"

        return text

    cases = {words: refused(partial(literals, words.split(), wanted)) for words in flags}
    cases |= {name: refused(partial(read_document, name)) for name in [*files, "nothing.json"]}
    cases |= {str(document): refused(partial(literals, [], interface(x=INT), document)) for document in documents}
    cases |= {"no flags": refused(partial(literals, [], wanted)), "a default": refused(partial(literals, [], scaled))}
    check_golden("command-line-inputs", cases)


class TestInputWithTheNameOfAnOption:
    INPUTS = interface(name=STR)

    def test_flag_after_the_target_is_the_input(self) -> None:
        texts, options = parse(["wf", "--name", "Ada"], self.INPUTS)

        assert (texts, options["name"]) == ({"name": "Ada"}, None)

    def test_flag_before_the_target_is_the_option(self) -> None:
        texts, options = parse(["--name", "nightly-1", "wf", "--name", "Ada"], self.INPUTS)

        assert (texts, options["name"]) == ({"name": "Ada"}, "nightly-1")

    def test_explicit_forms(self) -> None:
        texts, options = parse(["wf", "--launch.name", "nightly-1", "--input.name=Ada"], self.INPUTS)

        assert (texts, options["name"]) == ({"name": "Ada"}, "nightly-1")

    def test_flag_without_such_an_input_is_the_option(self) -> None:
        texts, options = parse(["wf", "--name", "nightly-1", "--x", "1"], interface(x=INT))

        assert (texts, options["name"]) == ({"x": "1"}, "nightly-1")

    def test_options_that_locate_the_target_are_reserved(self) -> None:
        texts, options = parse(["wf", "--version", "v1", "--input.version", "2"], interface(version=STR))

        assert (texts, options["version"]) == ({"version": "2"}, "v1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("inputs.json", '{"x": 1, "when": "2026-01-31"}'),
        ("inputs.yaml", "x: 1\nwhen: 2026-01-31\n"),
        ("inputs.yml", "{x: 1, when: '2026-01-31'}"),
    ],
)
def test_documents(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text)

    document = read_document(str(file))

    assert literals([], interface(x=INT, when=SimpleType(kind="date")), document) == {"x": 1, "when": "2026-01-31"}


@pytest.mark.parametrize("text", ['{"my-input": 1}', "my_input: 1"])
def test_a_document_from_stdin(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))

    assert literals([], interface(my_input=INT), read_document("-")) == {"my_input": 1}


def test_flags_override_the_document() -> None:
    assert literals(["--x", "2"], interface(x=INT, y=INT), {"x": 1, "y": 1}) == {"x": 2, "y": 1}


def test_help_of_inputs() -> None:
    inputs = Interface(
        inputs=(
            Variable(name="learning_rate", type=SimpleType(kind="float"), description="how fast it learns"),
            Variable(name="color", type=EnumType(name="Color", values=("red", "green")), required=False, default="red"),
            Variable(name="at", type=POINT, required=False, default={"x": 0, "y": 0}),
        )
    )

    shown = parse_help(inputs)
    assert "--learning-rate float" in shown
    assert "how fast it learns  [required]" in shown
    assert "(one of red, green)" in shown
    assert '[default: "red"]' in shown
    assert "(x: int, y: int)" in shown
    assert json.dumps({"x": 0, "y": 0}) in shown


def parse_help(inputs: Interface) -> str:
    command = TargetCommand(
        "launch",
        words={"NAME": None},
        required=1,
        options=lambda: [LaunchOption("--wait", is_flag=True)],
        load=lambda *_: Target("Launch it.", "What it does.", inputs, None),
        run=lambda *_: 0,
    )
    context = command.make_context("launch", ["wf", "--at", "{}"], click.Context(click.Group("flytemp"), obj=Session()))
    return context.get_help()


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1h30m", 5400), ("PT2M", 120), ("0.5", 0.5)])
def test_time_limit(text: str, seconds: float) -> None:
    given = {param.name: None for param in launch_options(always_follows=False)} | {"label": (), "annotation": ()}
    [option] = [param for param in launch_options(always_follows=False) if param.name == "time_limit"]

    value = option.type_cast_value(click.Context(click.Command("launch")), text)

    assert options_of({**given, "time_limit": value}).timeout_seconds == seconds


@pytest.mark.parametrize("text", ["soon", "0", "-3"])
def test_invalid_time_limit_is_an_error(text: str) -> None:
    [option] = [param for param in launch_options(always_follows=False) if param.name == "time_limit"]

    with pytest.raises(click.BadParameter):
        option.type_cast_value(click.Context(click.Command("launch")), text)
