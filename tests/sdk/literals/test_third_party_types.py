"""Types of another distribution, whose transformers are found by entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.installation import Installation

PROJECT = Path(__file__).parents[2] / "projects" / "third_party_type"
PROGRAM = PROJECT / "program"

INSPECT = """
import json, sys
import acme_geometry as acme
from flytemp.extend import TransformContext, TypeEngine
from flytemp.errors import FlytempError
from flytemp.literals.convert import from_literal, literal_type, to_literal

report = {}
int_type = literal_type(dict[str, list[int]])
report["loaded for built-in types"] = "acme_geometry_flytemp" in sys.modules
report["type"] = literal_type(list[acme.Vector]).model_dump(mode="json")
report["picture"] = literal_type(acme.Picture).model_dump(mode="json")
report["transformer"] = TypeEngine.get_transformer(acme.Vector).name
report["literal"] = to_literal([acme.Vector([1.0, 2.5])], list[acme.Vector])
report["equal"] = from_literal(report["literal"], list[acme.Vector]) == [acme.Vector([1.0, 2.5])]
report["subclass"] = type(from_literal([1.0], acme.Direction)).__name__
report["union"] = to_literal(acme.Vector([1.0]), acme.Vector | acme.Picture)
picture = acme.Picture(3, bytes(9))
report["small"] = to_literal(picture, acme.Picture)
report["picture is equal"] = from_literal(report["small"], acme.Picture) == picture
large = to_literal(acme.Picture(300, bytes(90000)), acme.Picture)
report["large"] = sorted(large)
report["large is equal"] = from_literal(large, acme.Picture) == acme.Picture(300, bytes(90000))

def error_of(call):
    try:
        call()
    except FlytempError as error:
        return [type(error).__name__, error.message, error.hint]

report["errors"] = {
    "wrong class": error_of(lambda: to_literal([acme.Vector([1.0]), 3], list[acme.Vector])),
    "own check": error_of(lambda: to_literal({"a": acme.Vector([])}, dict[str, acme.Vector])),
    "wrong literal": error_of(lambda: from_literal(["x"], acme.Vector)),
    "wrong format": error_of(lambda: from_literal({"format": "png", "bytes": ""}, acme.Picture)),
    "broken plug-in": error_of(lambda: literal_type(acme.Broken)),
    "no plug-in": error_of(lambda: literal_type(acme.Angle)),
}
print(json.dumps(report))
"""


def install(site: Path, *, name: str | None = None) -> Path:
    """Install the project's plug-in into a directory as pip does: modules, and metadata with the entry points."""
    plugin = PROJECT / "plugin"
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    site.mkdir(parents=True, exist_ok=True)
    for module in plugin.glob("*.py"):
        (site / module.name).write_text(module.read_text())
    metadata = site / f"{(name or project['name']).replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name or project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]["flytemp.types"]
    lines = "\n".join(f"{key} = {value}" for key, value in points.items())
    (metadata / "entry_points.txt").write_text(f"[flytemp.types]\n{lines}\n")
    return site


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return install(tmp_path / "site")


def python(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


def test_values_convert_through_the_transformers_of_an_entry_point(site: Path) -> None:
    done = python(site, INSPECT)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    errors = report.pop("errors")
    assert report == {
        "loaded for built-in types": False,
        "type": {"kind": "list", "item": {"kind": "list", "item": {"kind": "float"}}},
        "picture": {"kind": "encoded", "format": "acme.picture"},
        "transformer": "vector",
        "literal": [[1.0, 2.5]],
        "equal": True,
        "subclass": "Direction",
        "union": [1.0],
        "small": {"format": "acme.picture", "bytes": "AAAAAwAAAAAAAAAAAA=="},
        "picture is equal": True,
        "large": ["format", "uri"],
        "large is equal": True,
    }
    assert errors["wrong class"][0] == errors["own check"][0] == errors["wrong literal"][0] == "TypeMismatch"
    assert errors["wrong class"][1].endswith("(at [1])")
    assert "the vector is empty" in errors["own check"][1]
    assert errors["own check"][1].endswith("(at .a)")
    assert errors["wrong format"][0] == "TypeMismatch"
    assert errors["broken plug-in"][0] == "ConfigError"
    assert "acme-geometry" in errors["broken plug-in"][1]
    assert errors["no plug-in"][0] == "UnsupportedType"
    assert "TypeTransformer" in errors["no plug-in"][2]


def test_two_distributions_with_one_plug_in_name_are_an_error(tmp_path: Path) -> None:
    site = install(tmp_path / "site")
    install(tmp_path / "site", name="other-geometry")
    points = next(site.glob("other_geometry*")) / "entry_points.txt"
    points.write_text("[flytemp.types]\nacme_geometry.Vector = acme_geometry_flytemp:PictureTransformer\n")
    code = """
import acme_geometry
from flytemp.errors import ConfigError
from flytemp.literals.convert import literal_type
try:
    literal_type(acme_geometry.Vector)
except ConfigError as error:
    print(error.message)
"""
    done = python(site, code)
    assert "acme-geometry" in done.stdout, done.stderr
    assert "other-geometry" in done.stdout


OWN_TRANSFORMER = """
import shapes
from flytemp.extend import SimpleType, TypeEngine, TypeTransformer

class Text(TypeTransformer):
    def get_literal_type(self, t):
        return SimpleType(kind="string")

    def to_literal(self, ctx, python_val, python_type, expected):
        return ""

    def to_python_value(self, ctx, lv, expected_python_type):
        return expected_python_type()
"""


@pytest.fixture
def module_plugin(tmp_path: Path) -> Path:
    """Return a directory with a plug-in that is a module, which registers transformers for two classes."""
    site = tmp_path / "site"
    metadata = site / "shapes_flytemp-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "shapes.py").write_text("class Mod: ...\nclass Poly: ...\n")
    registrations = 'TypeEngine.register(Text("plugin", shapes.Mod))\nTypeEngine.register(Text("plugin", shapes.Poly))\n'
    (site / "shapes_flytemp.py").write_text(OWN_TRANSFORMER + registrations)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shapes-flytemp\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[flytemp.types]\nshapes = shapes_flytemp\n")
    return site


def test_module_plugin_keeps_the_transformer_of_the_program(module_plugin: Path) -> None:
    code = """
TypeEngine.register(Text("own", shapes.Mod))
print(*(TypeEngine.get_transformer(cls).name for cls in (shapes.Poly, shapes.Mod)))
"""
    done = python(module_plugin, OWN_TRANSFORMER + code)
    assert done.stdout.split() == ["plugin", "own"], done.stderr


def outputs_of(flytemp: Callable[[list[str]], str], *arguments: str) -> object:
    return json.loads(flytemp(["run", str(PROGRAM / "shapes.py"), *arguments, "-o", "json"]))["outputs"]


def check_outputs(flytemp: Callable[[list[str]], str], *way: str) -> None:
    assert outputs_of(flytemp, "shapes", *way) == {"o0": [2.0, 4.0], "o1": 4 + 40_000}
    assert outputs_of(flytemp, "all_doubled", "--vs", "[[1.0], [2.0, 3.0]]", *way) == {"o0": [[2.0], [4.0, 6.0]]}


def test_local_run_exchanges_third_party_values(site: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(site), "FLYTEMP_STORE": str(tmp_path / "store")}

    def flytemp(arguments: list[str]) -> str:
        command = [sys.executable, "-m", "flytemp_cli", *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    check_outputs(flytemp, "--local")


@pytest.mark.e2e
def test_task_processes_exchange_third_party_values(fresh_installation: Installation, site: Path) -> None:
    fresh_installation.variables = {"PYTHONPATH": str(site), "FLYTEMP_WORKER_PASS_ENVIRONMENT": "PYTHONPATH"}
    fresh_installation.flytemp("setup")
    fresh_installation.start_worker()
    check_outputs(lambda arguments: fresh_installation.flytemp(*arguments).stdout)
