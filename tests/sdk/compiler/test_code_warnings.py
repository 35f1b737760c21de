"""Warnings about code that works on the user's machine and not on workers."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from flytemp.bundle.packing import pack
from flytemp.client.registration import register_paths
from flytemp.compiler import load_program
from flytemp.compiler.bundle_warnings import bundle_warnings
from flytemp.errors import InputError, Problem, ProgramError
from flytemp.store import open_store

PROGRAM = "from flytemp import task\n\n@task\ndef t() -> int:\n    return 1\n"


@pytest.fixture(autouse=True)
def unchanged_path() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def bundled(folder: Path) -> list[Problem]:
    return bundle_warnings(pack(folder).contents)


# --------------------------------------------------------------------------------------- ignored files


FILE = "pkg/data/prices.csv"


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("*.csv", "open('prices.csv')"),
        ("prices.csv", "open('data/prices.csv')"),
        ("/pkg/data/*.csv", "pathlib.Path(__file__).parent / 'data' / 'prices.csv'"),
        ("*.csv", "FILES = ['./data/prices.csv']"),
        ("*.csv", "glob.glob(f'{HERE}/data/*.csv')"),
        ("*.csv", "open(f'data/{name}.csv')"),
        ("*.csv", "pd.read_csv(HERE + '/data/prices.csv')"),
        ("*.csv", "def read(path='prices.csv'): ..."),
        ("data/", "open('data/prices.csv')"),
        ("data/", "pathlib.Path(__file__).parent / 'data'"),
        ("data/", "pathlib.Path(__file__).with_name('data').joinpath('data', name)"),
        ("data/", "os.path.join(HERE, 'data', name)"),
        ("data/", "importlib.resources.files('pkg').joinpath('data').iterdir()"),
        ("data/", "DATA_DIR = 'data'"),
    ],
)
def test_ignored_data_that_the_code_names(tmp_path: Path, rule: str, code: str) -> None:
    write(tmp_path, {"pkg/flow.py": f"x = 1\n{code}\n", FILE: "", ".gitignore": f"{rule}\n"})
    (problem,) = bundled(tmp_path)
    assert problem.location is not None
    assert (problem.location.file, problem.location.line) == (str(tmp_path / "pkg" / "flow.py"), 2)
    assert str(tmp_path / ".gitignore") in problem.message
    assert ".flytempignore" in (problem.hint or "")


@pytest.mark.parametrize(
    "code",
    [
        '"""The documentation names prices.csv."""',
        "x = {'data': 1}['data']",
        "x = 'other.csv'",
        "x = 's3://bucket/data/prices.csv'",
        "x = '*'",
        "x = 'https://example.com/prices.csv'",
    ],
)
def test_texts_that_are_not_paths_of_ignored_files(tmp_path: Path, code: str) -> None:
    write(tmp_path, {"flow.py": code, "data/prices.csv": "", ".gitignore": "data/\n*.csv\n"})
    assert bundled(tmp_path) == []


@pytest.mark.parametrize(
    "code",
    [
        "open('prices.csv', 'w')",
        "with open(HERE / 'data/prices.csv', mode='wb') as file: ...",
        "(HERE / 'data/prices.csv').open('a')",
        "(HERE / 'prices.csv').write_text('')",
        "table.to_csv('prices.csv')",
        "joblib.dump(model, 'prices.csv')",
        "logging.FileHandler('prices.csv')",
        "path = os.path.join(FOLDER, 'prices.csv')\ntable.to_csv(path)\nx = FlyteFile(path)",
        "path = f'data/{1}.csv'\nPath(path).write_text('')",
        "open('prices.csv', 'w')\nx = FlyteFile('prices.csv')",
        "if __name__ == '__main__':\n    open('prices.csv')",
    ],
)
def test_files_that_the_code_writes_or_reads_as_a_script_only(tmp_path: Path, code: str) -> None:
    write(tmp_path, {"flow.py": code, "data/prices.csv": "", ".gitignore": "*.csv\n"})
    assert bundled(tmp_path) == []


def test_files_from_which_the_code_computes_what_it_writes(tmp_path: Path) -> None:
    code = "table = pd.read_csv('prices.csv')\ntable.to_csv('x.csv')\njson.dump(table, open('y.csv', 'w'))"
    write(tmp_path, {"flow.py": code, "data/prices.csv": "", ".gitignore": "*.csv\n"})
    assert len(bundled(tmp_path)) == 1


def test_rule_that_a_hint_suggests_bundles_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"flow.py": "open('prices.csv')", "data/prices.csv": "", ".gitignore": "*.csv\n"})
    (problem,) = bundled(tmp_path)
    line = (problem.hint or "").split("`")[1]
    write(tmp_path, {".flytempignore": f"{line}\n"})
    assert "data/prices.csv" in pack(tmp_path).files
    assert bundled(tmp_path) == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("generated.py", "import pkg.generated"),
        ("generated.py", "from pkg import generated"),
        ("generated.py", "from . import generated"),
        ("generated.py", "def f():\n    from .generated import x"),
        ("pkg/", "import pkg.generated"),
        ("pkg/", "from pkg.generated import x"),
    ],
)
def test_ignored_module_that_the_code_imports(tmp_path: Path, rule: str, code: str) -> None:
    place = "flow.py" if rule == "pkg/" else "pkg/flow.py"
    write(tmp_path, {place: code, "pkg/generated.py": "", ".gitignore": f"{rule}\n"})
    (problem,) = bundled(tmp_path)
    assert "workers cannot import it" in problem.message


@pytest.mark.parametrize("data", ["wandb/run/a.txt", "wandb/run/code.py", "old/wandb/x.csv"])
def test_ignored_folder_of_data_is_not_the_library_of_its_name(tmp_path: Path, data: str) -> None:
    write(tmp_path, {"flow.py": "import wandb", data: "", ".gitignore": "wandb/\n"})
    assert bundled(tmp_path) == []


def test_file_that_is_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "x = 1\nopen('data/x.csv')\n(HERE / 'data/y.csv').open()"
    write(tmp_path, {"src/flow.py": code, "data/x.csv": "", "src/data/y.csv": ""})
    monkeypatch.chdir(tmp_path)
    (problem,) = bundled(tmp_path / "src")
    assert "'data/x.csv'" in problem.message
    assert "__file__" in (problem.hint or "")


@pytest.mark.parametrize(
    "code",
    [
        "Path(__file__).parent.parent / 'data/x.csv'",
        "Path(__file__).parents[1] / 'data/x.csv'",
        "os.path.join(os.path.dirname(__file__), '..', 'data/x.csv')",
        "open(os.path.join(HERE, '../data/x.csv'))",
        "(Path(__file__).parent / '../data/x.csv').read_text()",
    ],
)
def test_file_outside_of_the_root(tmp_path: Path, code: str) -> None:
    write(tmp_path, {"src/flow.py": f"x = 1\n{code}", "data/x.csv": ""})
    (problem,) = bundled(tmp_path / "src")
    assert str(tmp_path / "data" / "x.csv") in problem.message
    assert problem.location is not None
    assert problem.location.line == 2
    write(tmp_path / "src", {"data/x.csv": ""})
    if ".." not in code:
        assert bundled(tmp_path / "src") == []


# --------------------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.local", "prod.env", "id_rsa", ".ssh/id_ed25519", "keys/server.pem", "tls.key", ".aws/credentials"),
        *(".aws/config", ".netrc", ".pypirc", "gcp/service-account.json", "client_secret_1.json", ".kube/config", "ID_RSA"),
        *("sub/.docker/config.json", ".git-credentials", "terraform.tfstate"),
    ],
)
def test_secret_in_the_bundle(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"flow.py": "", name: "x"})
    (problem,) = bundled(tmp_path)
    assert name in problem.message
    write(tmp_path, {".flytempignore": f"/{name}\n"})
    assert bundled(tmp_path) == []


@pytest.mark.parametrize("name", [".env.example", "id_rsa.pub", "environment.py", "keys.py", "config.json", "credentials.py"])
def test_file_that_is_not_secret(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"flow.py": "", name: "x"})
    assert bundled(tmp_path) == []


def test_certificate_is_not_secret(tmp_path: Path) -> None:
    write(tmp_path, {"flow.py": "", "ca.pem": "-----BEGIN CERTIFICATE-----\n"})
    assert bundled(tmp_path) == []
    write(tmp_path, {"ca.pem": "-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\n"})
    assert len(bundled(tmp_path)) == 1


# ------------------------------------------------------------------------------- sys.path and modules


@pytest.mark.parametrize(
    "code",
    [
        "sys.path.insert(0, '{lib}')",
        "sys.path.append('{lib}')",
        "sys.path += ['{lib}']",
        "sys.path.extend(['{lib}'])",
        "sys.path[:0] = ['{lib}']",
        "sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))",
        "site.addsitedir('{lib}')",
    ],
)
def test_folder_of_sys_path_outside_of_the_root(tmp_path: Path, code: str) -> None:
    name = f"outside_{tmp_path.name.rpartition('_')[2]}"
    text = f"import os, site, sys\n{code.format(lib=tmp_path / 'lib')}\nimport {name}\n{PROGRAM}"
    write(tmp_path, {"src/flow.py": text, f"lib/{name}.py": ""})
    (problem,) = load_program([tmp_path / "src"]).outside
    sys.modules.pop(name, None)
    assert str(tmp_path / "lib") in problem.message
    assert problem.location is None or problem.location.line == 2
    assert problem.hint


@pytest.mark.parametrize(
    ("code", "warns"),
    [
        ("sys.path.insert(0, os.path.join(os.getcwd(), 'src', 'lib'))", True),
        ("sys.path.append('src/lib')", True),
        ("sys.path.append('{root}/lib')", True),
        ("sys.path.append(os.path.join(os.path.dirname(__file__), 'lib'))", False),
        ("HERE = os.path.dirname(__file__)\nLIB = os.path.join(HERE, 'lib')\nsys.path.append(LIB)", False),
    ],
)
def test_folder_of_sys_path_in_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, warns: bool) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"import os, sys\n{code.format(root=tmp_path / 'src')}\n{PROGRAM}"
    write(tmp_path, {"src/flow.py": text, "src/lib/x.py": ""})
    problems = load_program([tmp_path / "src" / "flow.py"]).outside
    assert ["does not depend on `__file__`" in problem.message for problem in problems] == ([True] if warns else [])


def test_module_of_pythonpath_is_outside_of_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "module_of_pythonpath"
    write(tmp_path, {"src/flow.py": f"import {name}\n{PROGRAM}", f"lib/{name}.py": ""})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    (problem,) = load_program([tmp_path / "src"]).outside
    sys.modules.pop(name, None)
    assert f"'{name}'" in problem.message
    assert problem.location is not None
    assert problem.location.line == 1


def test_module_that_is_loaded_by_its_path(tmp_path: Path) -> None:
    text = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("by_path", {str(tmp_path / "lib" / "by_path.py")!r})
by_path = importlib.util.module_from_spec(spec)
spec.loader.exec_module(by_path)
{PROGRAM}"""
    write(tmp_path, {"src/flow.py": text, "lib/by_path.py": ""})
    (problem,) = load_program([tmp_path / "src"]).outside
    assert "'by_path'" in problem.message


def test_module_that_was_imported_before_is_outside_of_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"src/flow.py": f"from imported_before import f\n{PROGRAM}", "lib/imported_before.py": "def f(): ..."})
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    monkeypatch.setitem(sys.modules, "imported_before", importlib.import_module("imported_before"))
    (problem,) = load_program([tmp_path / "src"]).outside
    assert "'imported_before'" in problem.message


def test_installed_modules_and_those_of_the_bundle_need_no_warning(tmp_path: Path) -> None:
    text = "import json, multiprocessing, numpy, pydantic, yaml, helper\nimport concurrent.futures\n" + PROGRAM
    write(tmp_path, {"flow.py": text, "helper.py": ""})
    assert load_program([tmp_path]).outside == []


# ------------------------------------------------------------------------------------- imports that fail


def hint_of(*paths: Path) -> str:
    with pytest.raises(ProgramError) as caught:
        load_program(paths)
    return caught.value.problems[0].hint or ""


def test_hint_names_the_rule_for_the_root(tmp_path: Path) -> None:
    write(tmp_path, {"flows/program.py": "from common.features import f", "common/features.py": "f = 1"})
    hint = hint_of(tmp_path / "flows" / "program.py")
    assert "first folder without __init__.py" in hint
    assert f"add an __init__.py to {tmp_path / 'flows'}, or register {tmp_path}" in hint
    write(tmp_path, {"flows/__init__.py": ""})
    load_program([tmp_path / "flows" / "program.py"])


def test_hint_names_the_place_of_a_package_with_subfolders_only(tmp_path: Path) -> None:
    write(tmp_path, {"common/flows/program.py": "from common.features.prices import f", "common/features/prices.py": "f = 1"})
    assert f"or register {tmp_path}" in hint_of(tmp_path / "common" / "flows")


@pytest.mark.parametrize("place", ["src/mypkg/core.py", "lib/mypkg/core.py"])
def test_hint_names_a_source_folder(tmp_path: Path, place: str) -> None:
    write(tmp_path, {"flows/program.py": "import mypkg.core", place: ""})
    assert f"register {(tmp_path / place).parent.parent} together" in hint_of(tmp_path / "flows")


@pytest.mark.parametrize("code", ["from .features import f", "from ..common import f", "from . import features"])
def test_hint_of_a_relative_import_without_a_package(tmp_path: Path, code: str) -> None:
    write(tmp_path, {"flows/program.py": code, "flows/features.py": "f = 1"})
    assert "first folder without __init__.py" in hint_of(tmp_path / "flows" / "program.py")


def test_hint_of_a_library_that_is_missing(tmp_path: Path) -> None:
    write(tmp_path, {"flows/program.py": "import not_installed_anywhere"})
    assert "install it" in hint_of(tmp_path / "flows")


@pytest.mark.parametrize("name", ["flow.v2.py", "my.pkg/flow.py"])
def test_dot_in_the_name_of_a_module(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: PROGRAM, "my.pkg/__init__.py": ""})
    with pytest.raises(InputError, match="a module's name has no dot") as caught:
        load_program([tmp_path / name])
    assert "flow_v2.py" in (caught.value.hint or "") or "my_pkg" in (caught.value.hint or "")


# ----------------------------------------------------------------------------- registration in an import


@pytest.mark.parametrize(
    "call",
    [
        "register_paths(STORE, [HERE], project='p', domain='d')",
        "asyncio.run(asyncio.to_thread(register_paths, STORE, [HERE], project='p', domain='d'))",
        "_Loop().run(asyncio.to_thread(register_paths, STORE, [HERE], project='p', domain='d'))",
    ],
    ids=["same thread", "event loop", "synchronous client"],
)
def test_registration_in_an_import_is_refused(tmp_path: Path, call: str) -> None:
    text = f"""
import asyncio
from pathlib import Path
from flytemp.client.registration import register_paths
from flytemp.client.sync import _Loop
from flytemp.store import open_store
STORE, HERE = open_store({str(tmp_path / "store")!r}), Path(__file__).parent
{call}
"""
    write(tmp_path, {"flows/deploy.py": text, "flows/flow.py": PROGRAM})
    store = open_store(str(tmp_path / "store"))

    async def register() -> None:
        await asyncio.to_thread(register_paths, store, [tmp_path / "flows"], project="p", domain="d")

    with pytest.raises(ProgramError) as caught:
        asyncio.run(asyncio.wait_for(register(), 60))
    (problem,) = caught.value.problems
    assert problem.location is not None
    assert (problem.location.file, problem.location.line) == (str(tmp_path / "flows" / "deploy.py"), 8)
    assert "__main__" in (problem.hint or "")
