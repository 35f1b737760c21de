"""`FlyteFile` as input and output."""

from __future__ import annotations

import json
import os
import pickle
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from flytemp.errors import InputError, NotFound, TypeMismatch
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.literals.transfer import FileTransfer, RawDataTransfer, current_transfer, use_transfer
from flytemp.literals.uploads import upload_local_files
from flytemp.types import file as file_module
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import CSVFile, FlyteFile


@dataclass
class Report:
    picture: FlyteFile
    tables: list[FlyteFile] = field(default_factory=list)
    notes: dict[str, FlyteFile | None] = field(default_factory=dict)


class Model(BaseModel):
    weights: CSVFile
    logs: FlyteDirectory | None = None


@dataclass
class Linked:
    file: FlyteFile
    next: Linked | None = None


@pytest.fixture
def files(tmp_path: Path) -> RawDataTransfer:
    (tmp_path / "work").mkdir()
    return RawDataTransfer(f"file://{tmp_path}/raw", tmp_path / "work")


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text("a,b\n1,2\n")
    return path


def uploads(files: RawDataTransfer) -> list[str]:
    root = Path(files.raw_data_prefix.removeprefix("file://"))
    return sorted(path.name for path in root.rglob("*") if path.is_file())


# ------------------------------------------------------------------------------------------- the class


def test_local_file_is_not_copied(local: Path) -> None:
    file = FlyteFile(local)
    assert (file.path, file.remote_source, file.remote_path, str(file)) == (str(local), None, None, str(local))
    assert os.fspath(file) == file.download() == str(local)
    with file.open() as stream:
        assert stream.read() == "a,b\n1,2\n"
    with open(file, "rb") as binary:
        assert binary.read() == b"a,b\n1,2\n"


def test_remote_file_is_downloaded_once_at_first_use(local: Path, tmp_path: Path) -> None:
    source = f"file://{local}"
    with use_transfer(RawDataTransfer("memory://raw", tmp_path / "work")):
        file = FlyteFile(source)
        assert not (tmp_path / "work").exists()
        assert str(file) == file.path == file.remote_source == source
        assert "data.csv" in repr(file)
        assert not file.downloaded
        local_path = file.download()
        assert Path(local_path).parts[: len(tmp_path.parts) + 1] == (tmp_path / "work-inputs").parts
        assert (str(file), file.location, file.path) == (local_path, source, source), "the text is a path that can be opened"
    assert (file.downloaded, os.path.basename(local_path)) == (True, "data.csv")
    local.unlink()  # the download is kept
    assert Path(file).read_text() == "a,b\n1,2\n"
    with open(file) as stream:
        assert stream.readline() == "a,b\n"


def test_path_of_an_input_is_local_and_downloads_nothing(local: Path, files: RawDataTransfer) -> None:
    file = from_literal({"uri": f"file://{local}", "format": ""}, FlyteFile, files)
    assert Path(file.path).is_relative_to(files.data_directory)
    assert not os.path.exists(file.path)
    with use_transfer(files):
        assert FlyteFile.from_source(f"file://{local}").path != str(local)
    assert list(files.data_directory.glob("**/data.csv")) == []
    assert Path(file.path).name == Path(file.download()).name == "data.csv"
    assert Path(file.path).read_text() == "a,b\n1,2\n"


def test_open_streams_from_the_source_without_a_download(local: Path, tmp_path: Path) -> None:
    with use_transfer(RawDataTransfer("memory://raw", tmp_path / "work")):
        with FlyteFile(f"file://{local}").open("rb") as stream:
            assert stream.read(3) == b"a,b"
        assert not (tmp_path / "work").exists()


def test_write_to_a_remote_file(tmp_path: Path) -> None:
    with FlyteFile(f"file://{tmp_path}/new/out.txt").open("w") as stream:
        stream.write("é")
    assert (tmp_path / "new" / "out.txt").read_text("utf-8") == "é"


def test_missing_source_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"/nowhere/x\.csv"):
        FlyteFile("file:///nowhere/x.csv").download()


@pytest.mark.parametrize("wrong", [None, 3, "", b"x"])
def test_value_that_is_not_a_path_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeMismatch):
        FlyteFile(wrong)


def test_formats_are_classes() -> None:
    assert FlyteFile["csv"] is FlyteFile["csv"] is CSVFile
    assert issubclass(CSVFile, FlyteFile)
    assert (CSVFile.extension(), FlyteFile.extension()) == ("csv", "")
    assert FlyteFile["csv"]["json"] is FlyteFile["json"]
    assert repr(FlyteFile["csv"]("x")) == "FlyteFile[\"csv\"]('x')"


@pytest.mark.parametrize(
    ("alias", "format_"),
    [
        ("CSVFile", "csv"),
        ("HDF5EncodedFile", "hdf5"),
        ("HTMLPage", "html"),
        ("JoblibSerializedFile", "joblib"),
        ("JPEGImageFile", "jpeg"),
        ("JSONLFile", "jsonl"),
        ("ONNXFile", "onnx"),
        ("PDFFile", "pdf"),
        ("PNGImageFile", "png"),
        ("PythonNotebook", "ipynb"),
        ("PythonPickledFile", "python_pickle"),
        ("SVGImageFile", "svg"),
        ("TFRecordFile", "tfrecord"),
    ],
)
def test_aliases(alias: str, format_: str) -> None:
    assert getattr(file_module, alias) is FlyteFile[format_]


def test_equality_and_hash() -> None:
    assert FlyteFile("a") == FlyteFile(Path("a"))
    assert hash(FlyteFile("a")) == hash(FlyteFile("a"))
    assert FlyteFile("a") != FlyteFile("b")
    assert FlyteFile("a") != FlyteFile["csv"]("a")
    assert FlyteFile("a") != FlyteFile("a", remote_path="s3://b/k")
    assert FlyteFile("a") != FlyteDirectory("a")
    assert (FlyteFile("a") == "a", FlyteFile("a") == "b", hash(FlyteFile("a"))) == (True, False, hash("a"))


@pytest.mark.parametrize("file", [FlyteFile("a"), FlyteFile["csv"]("s3://b/k"), FlyteFile("a", remote_path=False)])
def test_pickle(file: Any) -> None:
    copy = pickle.loads(pickle.dumps(file))
    assert copy == file
    assert type(copy) is type(file)
    assert copy.remote_path == file.remote_path


def test_pickled_file_keeps_its_download(local: Path, files: RawDataTransfer) -> None:
    file = from_literal({"uri": f"file://{local}", "format": ""}, FlyteFile, files)
    path = file.path
    assert pickle.loads(pickle.dumps(file)).path == path


# --------------------------------------------------------------------------------- new files of a task


def test_new_file_is_in_the_working_directory(files: RawDataTransfer) -> None:
    with use_transfer(files):
        assert current_transfer() is files
        file = FlyteFile["csv"].new("sub/out.csv")
        with open(file, "w") as stream:
            stream.write("x")
    assert current_transfer() is None
    assert file.path == str(files.working_directory / "sub" / "out.csv")
    assert isinstance(file, CSVFile)


def test_new_remote_file_is_in_the_raw_data(files: RawDataTransfer) -> None:
    with use_transfer(files):
        file = FlyteFile.new_remote_file("out.csv")
        with file.open("w") as stream:
            stream.write("x")
    assert file.remote_source is not None
    assert file.remote_source.startswith(files.raw_data_prefix)
    assert to_literal(file, FlyteFile, files)["uri"] == file.remote_source
    assert uploads(files) == ["out.csv"]


def test_new_file_outside_of_tasks_is_local() -> None:
    with FlyteFile.new("flytemp-test.txt").open("w") as stream:
        stream.write("x")
    first, second = FlyteFile.new_remote_file("x"), FlyteFile.new_remote_file("x")
    assert first.remote_source is None
    assert first != second
    with open(first, "w") as stream:
        stream.write("x")


@pytest.mark.parametrize("name", ["../x", "a/b", ".."])
def test_name_of_a_new_remote_file_must_not_be_a_path(name: str) -> None:
    with pytest.raises(InputError, match=re.escape(repr(name))):
        FlyteFile.new_remote_file(name)


# -------------------------------------------------------------------------------- as inputs and outputs


def test_file_output_is_uploaded_to_a_fresh_uri(local: Path, files: RawDataTransfer) -> None:
    first = to_literal(FlyteFile["csv"](local), FlyteFile["csv"], files)
    second = to_literal(str(local), FlyteFile["csv"], files)
    assert first["uri"] != second["uri"]
    assert first["uri"].startswith(files.raw_data_prefix + "/")
    assert first["uri"].endswith("/data.csv")
    assert first["format"] == "csv"
    read = from_literal(first, FlyteFile["csv"], files)
    assert read.remote_source == first["uri"]
    assert Path(read).read_text() == "a,b\n1,2\n"
    assert Path(read.path).is_relative_to(files.data_directory)


@pytest.mark.parametrize("annotation", [FlyteFile, Path, os.PathLike])
def test_path_returned_as_file_is_uploaded(annotation: Any, local: Path, files: RawDataTransfer) -> None:
    literal = to_literal(local, annotation, files)
    assert uploads(files) == ["data.csv"]
    local.unlink()
    assert Path(from_literal(literal, annotation, files)).read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize("uri", ["s3://b/k", "gs://b/k", "https://example.com/x?y=1", "file:///somewhere/x"])
def test_uri_is_passed_unchanged(uri: str, files: RawDataTransfer) -> None:
    literal = to_literal(FlyteFile(uri), FlyteFile, files)
    assert literal == to_literal(uri, FlyteFile, files) == {"uri": uri, "format": ""}
    again = from_literal(literal, FlyteFile, files)
    assert again == FlyteFile(uri)
    assert to_literal(again, FlyteFile, files) == literal
    assert uploads(files) == []


def test_downloaded_input_is_passed_by_its_uri(local: Path, files: RawDataTransfer) -> None:
    file = from_literal({"uri": f"file://{local}"}, FlyteFile, files)
    file.download()
    assert to_literal(file, FlyteFile, files)["uri"] == f"file://{local}"


def test_input_cannot_be_written(local: Path, files: RawDataTransfer) -> None:
    file = from_literal({"uri": f"file://{local}"}, FlyteFile, files)
    with pytest.raises(InputError) as caught:
        file.open("a")
    assert "FlyteFile.new" in (caught.value.hint or "")
    with open(file, "w") as copy:  # a copy
        copy.write("changed")
    assert local.read_text() == "a,b\n1,2\n"


def test_remote_path(local: Path, tmp_path: Path, files: RawDataTransfer, monkeypatch: pytest.MonkeyPatch) -> None:
    target = f"file://{tmp_path}/chosen/here.csv"
    assert to_literal(FlyteFile(local, remote_path=target), FlyteFile, files)["uri"] == target
    assert (tmp_path / "chosen" / "here.csv").read_text() == "a,b\n1,2\n"
    monkeypatch.chdir(tmp_path)
    assert to_literal(FlyteFile("data.csv", remote_path=False), FlyteFile, files)["uri"] == str(local)
    assert uploads(files) == []


def test_path_without_a_transfer_is_unchanged() -> None:
    assert to_literal(FlyteFile("not/there.csv"), FlyteFile) == {"uri": "not/there.csv", "format": ""}
    assert from_literal({"uri": "not/there.csv"}, Path) == Path("not/there.csv")


@pytest.mark.parametrize(
    ("value", "annotation", "message", "hint"),
    [
        ("not/there.csv", FlyteFile, "'not/there.csv' is not a file: ", "FlyteFile.new"),
        ("not/there", FlyteDirectory, "'not/there' is not a directory: ", "FlyteDirectory.new"),
        (".", FlyteFile, "'.' is not a file", "declare it as FlyteDirectory"),
        (__file__, FlyteDirectory, "is not a directory", "declare it as FlyteFile"),
        (Report(FlyteFile("gone")), Report, "'gone' is not a file: ", "FlyteFile.new"),
    ],
)
def test_missing_output_is_refused(value: Any, annotation: Any, message: str, hint: str, files: RawDataTransfer) -> None:
    with pytest.raises(TypeMismatch) as caught:
        to_literal(value, annotation, files)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_files_inside_values_are_uploaded(local: Path, files: RawDataTransfer) -> None:
    report = Report(FlyteFile(local), [FlyteFile(local), FlyteFile("s3://b/k")], {"a": None, "b": FlyteFile(local)})
    literal = json.loads(json.dumps(to_literal(report, Report, files)))
    assert uploads(files) == ["data.csv"] * 3
    back = from_literal(literal, Report, files)
    assert Path(back.picture).read_text() == "a,b\n1,2\n"
    assert back.tables[1] == FlyteFile("s3://b/k")
    assert back.notes["a"] is None


def test_error_has_the_position_of_a_missing_file(files: RawDataTransfer) -> None:
    with pytest.raises(TypeMismatch, match=r"\(at \.tables\[0\]\)"):
        to_literal(Report(FlyteFile("s3://b/k"), [FlyteFile("gone")]), Report, files)


def test_union_uploads_once(local: Path, files: RawDataTransfer) -> None:
    to_literal([FlyteFile(local)], list[FlyteFile] | list[str], files)
    assert uploads(files) == ["data.csv"]


def test_files_in_pydantic_models(local: Path, files: RawDataTransfer) -> None:
    model = Model(weights=local)  # type: ignore[arg-type]
    assert isinstance(model.weights, CSVFile)
    literal = to_literal(model, Model, files)
    assert literal["weights"]["format"] == "csv"
    back = from_literal(literal, Model, files)
    assert Path(back.weights).read_text() == "a,b\n1,2\n"
    assert Model.model_validate_json(model.model_dump_json()) == model
    assert Model.model_json_schema()["properties"]["weights"]["required"] == ["uri"]
    with pytest.raises(ValidationError, match="is a path, a URI or a FlyteFile"):
        Model(weights=3)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------ files of a caller


def test_local_files_of_a_caller_are_uploaded(
    local: Path, tmp_path: Path, files: RawDataTransfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("x")
    monkeypatch.setenv("HOME", str(tmp_path))
    annotation = tuple[Linked, dict[str, list[FlyteFile]], FlyteFile | str, FlyteFile | None, int, FlyteDirectory]
    given = [
        {"file": {"uri": str(local), "format": ""}, "next": {"file": {"uri": "s3://b/k", "format": ""}, "next": None}},
        {"a": [{"uri": "~/data.csv", "format": "csv"}]},
        "text",
        {"uri": str(local), "format": ""},
        3,
        {"uri": str(tmp_path / "folder"), "format": ""},
    ]
    literal = upload_local_files(given, literal_type(annotation), files)
    values = from_literal(literal, annotation, files)
    assert uploads(files) == ["data.csv"] * 3 + ["x"]
    assert Path(values[0].file).read_text() == "a,b\n1,2\n"
    assert values[0].next.file == FlyteFile("s3://b/k")
    assert (Path(values[5]) / "x").read_text() == "x"


@pytest.mark.parametrize(
    ("annotation", "literal", "names"),
    [
        (list[FlyteFile], [{"uri": "gone.csv", "format": ""}], r"'gone\.csv'.* \(at \[0\]\)"),
        (FlyteDirectory, {"uri": "gone", "format": ""}, "'gone'"),
        (FlyteFile, {"uri": ".", "format": ""}, r"'\.'"),
    ],
)
def test_missing_files_of_a_caller_are_refused(annotation: Any, literal: Any, names: str, files: RawDataTransfer) -> None:
    with pytest.raises(TypeMismatch, match=names):
        upload_local_files(literal, literal_type(annotation), files)


# --------------------------------------------------------------------------------------- RawDataTransfer


def test_raw_data_transfer_implements_the_protocol(files: RawDataTransfer) -> None:
    assert isinstance(files, FileTransfer)
    assert files.fresh_uri("x") != files.fresh_uri("x")
    assert files.download_path("s3://b/k") != files.download_path("s3://b/k")


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("s3://b/folder/x.csv", "x.csv"),
        ("s3://b/folder/", "folder"),
        ("https://example.com/a/x.csv?token=1", "x.csv"),
        ("https://example.com", "example.com"),
        ("s3://b/..", "data"),
        ("file:///", "data"),
    ],
)
def test_download_keeps_the_name(uri: str, name: str, files: RawDataTransfer) -> None:
    path = Path(files.download_path(uri))
    assert path.is_relative_to(files.data_directory)
    if uri != "https://example.com":
        assert path.name == name
