"""Files of the inputs and outputs of a container's command."""

from __future__ import annotations

import json
import os
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml

from flytemp.authoring.interface import plain_interface
from flytemp.errors import FlytempBug, InputError, InvalidName, LimitExceeded, NotFound, TypeMismatch
from flytemp.literals.transfer import RawDataTransfer
from flytemp.runtime.container_io import read_outputs, substitute, write_inputs
from flytemp.spec.models import ContainerSpec, Interface, Variable
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile
from tests.sdk.runtime.container_values import VALUES

CONTAINER = ContainerSpec(image="i")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def _interface(inputs: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None) -> Interface:
    return plain_interface("task 't'", inputs or {}, outputs or {}).interface


@pytest.fixture
def transfer(tmp_path: Path) -> RawDataTransfer:
    return RawDataTransfer(str(tmp_path / "raw"), tmp_path / "work")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "volume"
    made.mkdir()
    return made


# ------------------------------------------------------------------------------------------- inputs


@pytest.mark.parametrize(("type_", "literal", "content"), VALUES.values(), ids=VALUES.keys())
def test_value_survives_its_file(
    type_: Any, literal: Any, content: bytes, folder: Path, transfer: RawDataTransfer
) -> None:
    interface = _interface({"x": type_}, {"x": type_})
    write_inputs({"x": literal}, interface, folder, CONTAINER)
    assert (folder / "x").read_bytes() == content
    assert read_outputs(interface, folder, transfer) == {"x": literal}


def test_null_has_no_file(folder: Path, transfer: RawDataTransfer) -> None:
    interface = _interface({"x": int | None, "y": FlyteFile | None}, {"x": int | None, "y": FlyteFile | None})
    write_inputs({"x": None, "y": None}, interface, folder, CONTAINER)
    assert os.listdir(folder) == ["inputs.json"]
    assert read_outputs(interface, folder, transfer) == {"x": None, "y": None}


def test_files_and_directories_are_downloaded(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "sub" / "a").write_bytes(b"in a folder")
    (tmp_path / "f.csv").write_bytes(b"a file")
    literals = {
        "f": {"uri": str(tmp_path / "f.csv"), "format": "csv"},
        "d": {"uri": f"file://{tmp_path / 'd'}", "format": ""},
        "o": {"uri": str(tmp_path / "f.csv"), "format": ""},
    }
    interface = _interface({"f": FlyteFile["csv"], "d": FlyteDirectory, "o": FlyteFile | None})  # type: ignore[type-arg]
    write_inputs(literals, interface, folder, CONTAINER)
    assert (folder / "f").read_bytes() == b"a file"
    assert (folder / "o").read_bytes() == b"a file"
    assert (folder / "d" / "sub" / "a").read_bytes() == b"in a folder"
    assert json.loads((folder / "inputs.json").read_text()) == {
        "f": "/var/inputs/f",
        "d": "/var/inputs/d",
        "o": "/var/inputs/o",
    }


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_overview_file_has_all_inputs(folder: Path, form: Any) -> None:
    literals = {"n": 3, "t": "ä\n", "l": [1.5], "z": None}
    interface = _interface({"n": int, "t": str, "l": list[float], "z": str | None})
    write_inputs(literals, interface, folder, ContainerSpec(image="i", metadata_format=form))
    text = (folder / f"inputs.{form}").read_text(encoding="utf-8")
    assert (json.loads(text) if form == "json" else yaml.safe_load(text)) == literals
    assert "ä" in text


def test_missing_input_has_its_default_or_is_a_bug(folder: Path) -> None:
    integer = _interface({"x": int}).inputs[0].type
    given = Interface(inputs=(Variable(name="x", type=integer, required=False, default=7),))
    write_inputs({}, given, folder, CONTAINER)
    assert (folder / "x").read_text() == "7"
    with pytest.raises(FlytempBug):
        write_inputs({}, _interface({"x": int}), folder, CONTAINER)


def test_deleted_input_file_is_not_found(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(NotFound, match="gone"):
        write_inputs({"f": {"uri": str(tmp_path / "gone"), "format": ""}}, _interface({"f": FlyteFile}), folder, CONTAINER)


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", ""])
def test_path_as_a_name_is_refused(name: str, folder: Path, transfer: RawDataTransfer) -> None:
    variable = Variable(name=name, type=_interface({"x": int}).inputs[0].type)
    with pytest.raises(InvalidName):
        write_inputs({name: 1}, Interface(inputs=(variable,)), folder, CONTAINER)
    with pytest.raises(InvalidName):
        read_outputs(Interface(outputs=(variable,)), folder, transfer)


# ---------------------------------------------------------------------------------------- templates


def test_templates_are_filled_in() -> None:
    interface = _interface({"n": int, "t": str, "b": bool, "l": list[int], "c": Colour, "o": float | None, "u": int | float})
    literals = {"n": 3, "t": "two words", "b": True, "l": [1, 2], "c": "blue", "o": None, "u": {"$variant": 0, "value": 4}}
    given = ["{{.inputs.n}}", "--{{ .Inputs.t }}={{$inputs.b}}", "{{.inputs.l}}{{.inputs.c}}", "[{{.inputs.o}}]", "{{.inputs.u}}"]
    assert substitute(given, literals, interface) == ["3", "--two words=true", "[1,2]blue", "[]", "4"]


def test_templates_in_values_are_not_filled_in() -> None:
    literals = {"a": "{{.inputs.b}}", "b": "secret"}
    assert substitute(["{{.inputs.a}}"], literals, _interface({"a": str, "b": str})) == ["{{.inputs.b}}"]


def test_other_braces_are_kept() -> None:
    texts = ["{{.State}}", "{{ inputs.x }}", "{x}", "/var/inputs/x"]
    assert substitute(texts, {"x": 1}, _interface({"x": int})) == texts


@pytest.mark.parametrize(
    ("type_", "literal"), [(FlyteFile, {"uri": "s3://b/k", "format": ""}), (bytes, "AA=="), (FlyteFile | None, {"uri": "s3://b/k"})]
)
def test_file_in_a_command_is_refused(type_: Any, literal: Any) -> None:
    with pytest.raises(InputError, match="'x'") as caught:
        substitute(["{{.inputs.x}}"], {"x": literal}, _interface({"x": type_}))
    assert "path" in (caught.value.hint or "")


def test_unknown_input_in_a_template_is_refused() -> None:
    with pytest.raises(InputError, match="'y'") as caught:
        substitute(["{{.inputs.y}}"], {"x": 1}, _interface({"x": int}))
    assert caught.value.hint == "inputs: x"


# ------------------------------------------------------------------------------------------ outputs


def test_final_newline_is_not_part_of_a_text(folder: Path, transfer: RawDataTransfer) -> None:
    for name, text in {"n": " 42\n", "t": "two\nlines\n", "b": "True\n", "f": "1e3\n", "w": "x\r\n", "keep": "x\n\n"}.items():
        (folder / name).write_bytes(text.encode())
    interface = _interface(outputs={"n": int, "t": str, "b": bool, "f": float, "w": str, "keep": str})
    assert read_outputs(interface, folder, transfer) == {
        "n": 42,
        "t": "two\nlines",
        "b": True,
        "f": 1000.0,
        "w": "x",
        "keep": "x\n",
    }


def test_files_and_directories_are_uploaded(folder: Path, transfer: RawDataTransfer) -> None:
    (folder / "f").write_bytes(b"file")
    (folder / "d" / "sub").mkdir(parents=True)
    (folder / "d" / "sub" / "a").write_bytes(b"inner")
    (folder / "d" / "link").symlink_to("sub/a")
    outputs = read_outputs(_interface(outputs={"f": FlyteFile["csv"], "d": FlyteDirectory}), folder, transfer)  # type: ignore[type-arg]
    assert outputs["f"]["format"] == "csv"
    assert outputs["f"]["uri"].startswith(transfer.raw_data_prefix)
    assert outputs["f"]["uri"].endswith("/f")
    assert Path(outputs["f"]["uri"]).read_bytes() == b"file"
    assert (Path(outputs["d"]["uri"]) / "sub" / "a").read_bytes() == b"inner"
    assert (Path(outputs["d"]["uri"]) / "link").read_bytes() == b"inner"


def test_all_missing_outputs_are_named(folder: Path, transfer: RawDataTransfer) -> None:
    (folder / "there").write_text("1")
    (folder / "typo").write_text("1")
    interface = _interface(outputs={"there": int, "b": int, "c": FlyteFile})
    with pytest.raises(NotFound, match=f"'b', 'c'.*{folder}") as caught:
        read_outputs(interface, folder, transfer)
    assert "there, typo" in (caught.value.hint or "")


def test_missing_folder_of_outputs(tmp_path: Path, transfer: RawDataTransfer) -> None:
    with pytest.raises(NotFound) as caught:
        read_outputs(_interface(outputs={"a": int}), tmp_path / "nothing", transfer)
    assert "there is nothing" in (caught.value.hint or "")
    assert read_outputs(_interface(), tmp_path / "nothing", transfer) == {}


@pytest.mark.parametrize(
    ("type_", "content"),
    [
        (int, b"four"),
        (int, b""),
        (bool, b"maybe"),
        (list[int], b"[1, 2"),
        (list[int], b'["a"]'),
        (dict, b"x"),
        (str, b"\xff\xfe"),
        (Colour, b"green"),
        (int | None, b"four"),
    ],
)
def test_output_of_a_wrong_type_is_refused(type_: Any, content: bytes, folder: Path, transfer: RawDataTransfer) -> None:
    (folder / "x").write_bytes(content)
    with pytest.raises(TypeMismatch, match=f"'x', {folder / 'x'}"):
        read_outputs(_interface(outputs={"x": type_}), folder, transfer)


def test_file_instead_of_a_directory_is_refused(folder: Path, transfer: RawDataTransfer) -> None:
    (folder / "f").write_text("")
    (folder / "d").mkdir()
    for name, type_ in (("f", FlyteDirectory), ("d", FlyteFile), ("d", str)):
        with pytest.raises(TypeMismatch, match=f"'{name}'"):
            read_outputs(_interface(outputs={name: type_}), folder, transfer)


def test_pipe_as_output_is_refused(folder: Path, transfer: RawDataTransfer) -> None:
    os.mkfifo(folder / "x")
    for type_ in (str, FlyteFile):
        with pytest.raises(TypeMismatch, match="'x'"):
            read_outputs(_interface(outputs={"x": type_}), folder, transfer)


@pytest.mark.parametrize("type_", [str, FlyteFile, bytes, str | None])
def test_link_out_of_the_folder_is_refused(type_: Any, tmp_path: Path, folder: Path, transfer: RawDataTransfer) -> None:
    (tmp_path / "token").write_text("secret")
    (folder / "x").symlink_to(tmp_path / "token")
    with pytest.raises(InputError, match="'x'"):
        read_outputs(_interface(outputs={"x": type_}), folder, transfer)


@pytest.mark.parametrize("target", ["..", "../..", ".", "/etc", "gone", "../../token"])
def test_link_in_a_directory_is_refused(target: str, tmp_path: Path, folder: Path, transfer: RawDataTransfer) -> None:
    (tmp_path / "token").write_text("secret")
    (folder / "d").mkdir()
    (folder / "d" / "link").symlink_to(target)
    with pytest.raises(InputError, match="'d'"):
        read_outputs(_interface(outputs={"d": FlyteDirectory}), folder, transfer)
    assert not (tmp_path / "raw").exists()


def test_too_large_output_is_refused(folder: Path, transfer: RawDataTransfer) -> None:
    (folder / "x").write_bytes(b"a" * (2 * 2**20 + 1))
    with pytest.raises(LimitExceeded, match="'x'"):
        read_outputs(_interface(outputs={"x": str}), folder, transfer)
    (folder / "x").write_bytes(b"a" * (300 * 1024))
    with pytest.raises(LimitExceeded, match="'x'"):
        read_outputs(_interface(outputs={"x": bytes}), folder, transfer)
