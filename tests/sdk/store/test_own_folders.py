"""Writes of tasks to the folders that flytemp keeps in a store are refused."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from flytemp.client.uploads import ContentUploads
from flytemp.errors import InputError
from flytemp.layout import OWN_FOLDERS, EntityId, ExecutionLayout, document_key, worker_key
from flytemp.layout import bundle_key as key_of_bundle
from flytemp.literals.transfer import RawDataTransfer
from flytemp.store import open_store, raw
from flytemp.store.object_store import ObjectStore

DOCUMENT = "registry/default/development/tasks/m.t/versions/v1.json"
_numbers = itertools.count()


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "local.txt"
    path.write_text("user")
    return str(path)


def targets(root: str) -> dict[str, str]:
    """Addresses of one document below the folder ``root`` of a local store."""
    parent, name = os.path.split(root)
    return {
        "URI": f"file://{root}/{DOCUMENT}",
        "host": f"file://localhost{root}/{DOCUMENT}",
        "path": f"{root}/{DOCUMENT}",
        "local": f"local://{root}/{DOCUMENT}",
        "capitals": f"FILE://{root}/{DOCUMENT}",
        "parents": f"file://{root}/data/x/../../{DOCUMENT}",
        "slashes": f"file://{parent}//{name}///{DOCUMENT}",
        "dots": f"file://{root}/./{DOCUMENT}",
        "through a link": f"file://{parent}/alias/{DOCUMENT}",
    }


@pytest.mark.parametrize("form", targets("/x"))
def test_file_over_a_registered_document_is_refused(store: ObjectStore, file: str, tmp_path: Path, form: str) -> None:
    store.write(DOCUMENT, b"registered")
    (tmp_path / "alias").symlink_to(tmp_path / "store")
    target = targets(str(tmp_path / "store"))[form]
    transfer = RawDataTransfer(f"{store.uri}/data/x", tmp_path)
    with pytest.raises(InputError, match="flytemp keeps its own objects"):
        transfer.upload_file(file, target=target)
    with pytest.raises(InputError):
        transfer.upload_directory(str(tmp_path / "store"), target=target)
    if form != "path":  # a path without a protocol is a file of this machine, which ordinary Python code can open as well
        with pytest.raises(InputError):
            raw.open_uri(target, "w")
    assert store.read(DOCUMENT) == b"registered"


@pytest.mark.parametrize("folder", sorted(OWN_FOLDERS))
def test_every_own_folder_is_protected(store: ObjectStore, file: str, folder: str) -> None:
    with pytest.raises(InputError):
        raw.upload_file(file, f"{store.uri}/{folder}/x")


def test_every_key_of_the_layout_is_in_an_own_folder() -> None:
    execution = ExecutionLayout("default", "w", "r")
    keys = [
        document_key(EntityId.parse("tsk:p:d:t:v")),
        key_of_bundle("0" * 64),
        execution.record,
        execution.index_entry("p", "d", 1),
        worker_key("w"),
    ]
    assert {key.split("/")[0] for key in keys} <= OWN_FOLDERS


def test_bucket_is_protected(file: str) -> None:
    name = f"bucket-{next(_numbers)}"
    store = open_store(f"memory://{name}/prefix")
    store.write(DOCUMENT, b"registered")
    for target in (f"memory://{name}/prefix/{DOCUMENT}", f"memory://{name}//prefix/data/../{DOCUMENT}"):
        with pytest.raises(InputError):
            raw.upload_file(file, target)
    raw.upload_file(file, f"memory://{name}/other/{DOCUMENT}")
    raw.upload_file(file, f"memory://{name}/prefix/data/x")


def test_folder_that_would_contain_the_store_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "output" / "registry").mkdir(parents=True)
    (tmp_path / "output" / "registry" / "x").write_text("")
    for target in (store.uri, f"file://{tmp_path}", "file:///"):
        with pytest.raises(InputError, match="would contain"):
            raw.upload_directory(tmp_path / "output", target)
    raw.upload_directory(tmp_path / "output", f"file://{tmp_path}/elsewhere")


def test_raw_data_and_other_folders_can_be_written(store: ObjectStore, file: str, tmp_path: Path) -> None:
    for place in (f"{store.uri}/data/x", f"{store.uri}/reports", f"file://{tmp_path}/registry", f"{store.uri}-2/registry"):
        raw.upload_file(file, f"{place}/y")


def test_client_uploads_inputs_to_its_own_folder(store: ObjectStore, file: str) -> None:
    uri = ContentUploads(store).upload_file(file)
    assert uri.startswith(f"{store.uri}/uploads/")
    assert store.read(uri.removeprefix(f"{store.uri}/")) == b"user"
