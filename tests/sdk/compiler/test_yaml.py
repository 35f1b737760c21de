"""YAML and JSON files: short forms, their documents, and problems with lines."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flytemp.compiler.yaml.files import compile_sources, load_sources
from flytemp.errors import InputError, Location, ProgramError
from flytemp.literals.describe import describe_type
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.integrity import check_integrity
from flytemp.spec.models import BundleRef, LaunchPlanDocument, TaskDocument, WorkflowDocument
from tests.messages.golden import check_golden

BUNDLE = BundleRef(digest="0" * 64, size=1)
CODE = '''
from flytemp import dynamic, task, workflow, LaunchPlan

@task(retries=2)
def load(rows: int) -> list[int]:
    """Load rows."""
    return list(range(rows))

@task
def total(items: list[int], factor: int = 1) -> int:
    return sum(items) * factor

@dynamic
def fan(count: int) -> int:
    return total(items=[count])
'''
MODULE = (
    CODE
    + """
@workflow
def inner(rows: int) -> int:
    return total(items=load(rows=rows))

nightly = LaunchPlan.create("nightly", inner, fixed_inputs={"rows": 3})
"""
)


def write(folder: Path, **files: str) -> Path:
    """The folder with files; ``a__b_py`` is ``a/b.py``, ``a_b_py`` is ``a_b.py``."""
    for name, text in files.items():
        file = folder / (name.replace("__", "/").rpartition("_")[0] + "." + name.rpartition("_")[2])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def compiled(*paths: Path) -> dict[tuple[str, str], AnyDocument]:
    documents = compile_sources(load_sources(paths), BUNDLE)
    for document in documents:
        if isinstance(document, WorkflowDocument):
            check_integrity(document)
    assert len({(document.kind, document.name) for document in documents}) == len(documents)
    return {(document.kind, document.name): document for document in documents}


def workflow_of(documents: dict[tuple[str, str], AnyDocument], name: str) -> WorkflowDocument:
    document = documents["workflow", name]
    assert isinstance(document, WorkflowDocument)
    return document


def problems(*paths: Path) -> list[str]:
    """What is wrong, each as ``file:line: message | hint``."""
    with pytest.raises(ProgramError) as caught:
        compiled(*paths)
    found = []
    for problem in caught.value.problems:
        assert isinstance(problem.location, Location)
        where = f"{Path(problem.location.file).name}:{problem.location.line}"
        found.append(f"{where}: {problem.message}" + (f" | {problem.hint}" if problem.hint else ""))
    return found


PIPELINE = """
kind: task
loader: etl:load
---
kind: task
name: sum.up
loader: etl:total
---
kind: workflow
name: pipeline
interface:
  inputs:
    rows: {type: int, default: 5, description: how many}
    note: str | None
  outputs: {total: int, notes: "list[str | None]"}
nodes:
  - {kind: task, target: etl.load, inputs: {rows: $inputs.rows}}
  - id: decide
    kind: branch
    after: n0
    branch:
      outputs: {o0: int}
      cases:
        - condition: {left: "$n0.o0[0]", operator: ">", right: 5}
          node: {kind: task, target: sum.up, inputs: {items: ["$n0.o0[0]", 3]}}
        - condition:
            kind: or
            terms:
              - {left: $inputs.note, operator: "==", right: $$go}
              - {left: $inputs.rows, operator: "==", right: 0}
          node: {kind: workflow, target: helper, inputs: {x: 1}}
        - fail: too few
  - {id: each, kind: map, target: etl.load, inputs: {rows: [1, 2]}, map: {over: rows, concurrency: 2}}
  - {id: ask, kind: gate, gate: {kind: input, name: go, type: bool, timeout_seconds: 60}}
  - {id: rest, kind: sleep, sleep_seconds: 1, after: [ask, each]}
outputs:
  total: $decide.o0
  notes: [$inputs.note, $$5, null]
---
kind: workflow
name: helper
interface: {inputs: {x: int}, outputs: {o0: int}}
outputs: {o0: $inputs.x}
---
kind: launch_plan
name: daily
workflow: pipeline
fixed_inputs: {rows: 10}
"""


def test_program_in_one_file(tmp_path: Path) -> None:
    folder = write(tmp_path, etl_py=CODE, pipeline_yaml=PIPELINE)
    documents = compiled(folder / "pipeline.yaml")
    assert set(documents) == {
        ("task", "etl.load"),
        ("task", "sum.up"),
        ("workflow", "pipeline"),
        ("workflow", "helper"),
        ("launch_plan", "pipeline"),
        ("launch_plan", "helper"),
        ("launch_plan", "daily"),
    }
    document = workflow_of(documents, "pipeline")
    assert set(document.tasks) == {"etl.load", "sum.up"}
    assert set(document.workflows) == {"pipeline", "helper"}
    assert document.bundle == BUNDLE
    root = document.root.model_dump(mode="json", exclude_defaults=True)
    note = document.root.interface.inputs[1]
    assert [node["id"] for node in root["nodes"]] == ["n0", "decide", "each", "ask", "rest"]
    assert root["nodes"][0]["location"] == {"file": "pipeline.yaml", "line": 17}
    assert root["interface"]["inputs"] == [
        {"name": "rows", "type": {"kind": "integer"}, "default": 5, "required": False, "description": "how many"},
        note.model_dump(mode="json", exclude_defaults=True),
    ]
    assert (describe_type(note.type), note.required) == ("str | None", True)
    assert document.root.outputs["notes"].model_dump(mode="json", exclude_defaults=True) == {
        "items": [{"var": "note"}, {"value": "$5"}, {"value": None}]
    }
    cases = root["nodes"][1]["branch"]["cases"]
    assert cases[0]["condition"] == {
        "operator": ">",
        "left": {"node": "n0", "var": "o0", "path": [0]},
        "right": {"value": 5},
        "type": "integer",
    }
    assert [case["node"]["id"] for case in cases[:2]] == ["n0", "n1"]
    assert cases[1]["condition"]["terms"][0]["right"] == {"value": "$go"}


def test_fields_that_a_file_lacks_are_read_from_code(tmp_path: Path) -> None:
    text = "kind: task\nloader: etl:load\n---\nkind: task\nname: other\nloader: etl:load\nsettings: {retries: {count: 5}}\n"
    text += "---\nkind: task\nloader: etl:fan\n---\n"
    text += "kind: task\nname: elsewhere\nloader: not.here:f\ninterface: {inputs: {x: int}}\n"
    documents = compiled(write(tmp_path, etl_py=CODE, tasks_yaml=text) / "tasks.yaml")
    load, other, fan, elsewhere = (
        documents["task", name].task  # type: ignore[union-attr]
        for name in ("etl.load", "other", "etl.fan", "elsewhere")
    )
    assert [variable.name for variable in load.interface.inputs] == ["rows"]
    assert load.docs.short == "Load rows."
    assert load.settings.retries.count == 2
    assert (other.loader, other.settings.retries.count) == ("etl:load", 5)
    assert fan.kind == "dynamic"
    assert elsewhere.loader == "not.here:f"


def test_files_and_modules_of_a_folder_are_one_program(tmp_path: Path) -> None:
    text = """
kind: workflow
name: both
interface: {inputs: {n: int}, outputs: {a: int}}
nodes:
  - {id: one, kind: workflow, target: etl.inner, inputs: {rows: $inputs.n}}
  - {id: two, kind: launch_plan, target: nightly, after: one}
  - {id: three, kind: dynamic, target: etl.fan, inputs: {count: $two.o0}}
  - {id: four, kind: launch_plan, target: mine}
outputs: {a: $three.o0}
---
kind: launch_plan
name: mine
workflow: etl.inner
default_inputs: {rows: 4}
"""
    folder = write(tmp_path, etl_py=MODULE, deep__er__both_yaml="x: 1")
    (folder / "deep" / "er" / "both.flytemp.yaml").write_text(text)
    documents = compiled(folder)
    assert {name for kind, name in documents if kind == "task"} == {"etl.load", "etl.total", "etl.fan"}
    document = workflow_of(documents, "both")
    assert set(document.workflows) == {"both", "etl.inner"}
    assert set(document.tasks) == {"etl.load", "etl.total", "etl.fan"}
    assert set(document.launch_plans) == {"nightly", "mine"}
    assert document.launch_plans["nightly"].interface.inputs == ()
    assert not document.launch_plans["mine"].interface.inputs[0].required
    mine = documents["launch_plan", "mine"]
    assert isinstance(mine, LaunchPlanDocument)
    assert mine.interface == workflow_of(documents, "etl.inner").root.interface


def test_complete_form_of_flytemp_get_is_accepted(tmp_path: Path) -> None:
    folder = write(tmp_path, etl_py=MODULE)
    before = compiled(folder)
    for name, document in before.items():
        (folder / f"{'-'.join(name)}.json").write_text(json.dumps(document.model_dump(mode="json"), indent="\t"))
    (folder / "etl.py").unlink()
    after = compiled(*folder.glob("*.json"))
    assert {name: document.model_dump() for name, document in after.items() if name[0] != "launch_plan"} == {
        name: document.model_dump() for name, document in before.items() if name[0] != "launch_plan"
    }
    assert set(after) == set(before)


def test_reference_is_kept_until_registration(tmp_path: Path) -> None:
    text = """
kind: workflow
name: w
tasks:
  "tsk:shared:production:lib.step:v1": {interface: {inputs: {x: int}}}
nodes:
  - {kind: task, target: "tsk:shared:production:lib.step:v1", inputs: {x: 1}}
"""
    documents = compile_sources(load_sources([write(tmp_path, w_yaml=text) / "w.yaml"]), BUNDLE)
    assert [(document.kind, document.name) for document in documents] == [("workflow", "w"), ("launch_plan", "w")]
    assert isinstance(documents[0], WorkflowDocument)
    (task,) = documents[0].tasks.values()
    assert (task.kind, task.name, task.reference) == ("reference", "lib.step", "tsk:shared:production:lib.step:v1")


def test_constants_are_read_as_yaml_1_2(tmp_path: Path) -> None:
    text = """
kind: task
name: t
loader: etl:t
interface: {inputs: {a: any, b: datetime, c: float, d: any, e: any}}
---
kind: workflow
name: w
nodes:
  - kind: task
    target: t
    inputs:
      a: {kind: literal, value: {kind: mine, text: $5}}
      b: 2026-01-31T12:00:00Z
      c: .nan
      d: {no: no, list: [1:30, 0x10, 1e3, ~, true], text: $$x}
      e: {<<: {x: 1, y: 2}, y: 3}
"""
    (node,) = workflow_of(compiled(write(tmp_path, w_yaml=text) / "w.yaml"), "w").root.nodes
    assert {name: getattr(binding, "value", None) for name, binding in node.inputs.items()} == {
        "a": {"kind": "mine", "text": "$5"},
        "b": "2026-01-31T12:00:00Z",
        "c": "NaN",
        "d": {"no": "no", "list": ["1:30", 16, 1000.0, None, True], "text": "$x"},
        "e": {"x": 1, "y": 3},
    }


def test_every_problem_of_reading_has_its_line(tmp_path: Path) -> None:
    text = """kind: task
loader: etl:lod
---
kind: task
nme: x
loader: nope.at.all:f
---
kind: job
---
kind: workflow
nodes: []
---
kind: workflow
name: w
interface:
  inputs: {a: intt}
nodes:
  - {kind: task, target: t, inptus: {}}
  - id: x
    kind: task
    target: t
    inputs:
      a: $nope
      b: {kind: inpt, var: a}
    overrides: {settings: {retries: {count: many}}}
---
kind: task
loader: no-loader
---
kind: task
name: without
"""
    folder = write(tmp_path, etl_py=CODE, w_yaml=text)
    check_golden("spec-file-reading", {"a file": lambda: "\n".join(problems(folder / "w.yaml"))}, {str(folder): "FOLDER"})


def test_every_problem_of_the_program_has_its_line(tmp_path: Path) -> None:
    text = """kind: task
loader: etl:total
---
kind: workflow
name: w
interface:
  inputs: {a: int, b: "list[str]"}
  outputs: {o: int}
nodes:
  - kind: task
    target: etl.total
    inputs:
      items: $inputs.b
      factor: "x"
  - id: x
    kind: task
    target: etl.totl
    after: zz
  - kind: branch
    branch:
      cases:
        - node:
            kind: task
            target: etl.total
            inputs:
              items: 5
outputs:
  o: $n0.o1
---
kind: launch_plan
name: lp
workflow: w2
---
kind: launch_plan
name: lp2
workflow: w
default_inputs: {q: 5}
---
kind: launch_plan
name: w
workflow: w
fixed_inputs: {a: 1}
---
kind: task
loader: etl:total
settings: {retries: {count: -1}}
"""
    file = write(tmp_path, etl_py=CODE, w_yaml=text) / "w.yaml"
    check_golden("spec-file-programs", {"a file": lambda: "\n".join(problems(file))}, {str(tmp_path): "FOLDER"})


def test_problems_of_modules_and_files_are_reported_together(tmp_path: Path) -> None:
    bad = "from flytemp import task\n@task\ndef f(x):\n    pass\n"
    write(tmp_path, etl_py=bad)
    (tmp_path / "w.flytemp.yaml").write_text("kind: workflow\nname: w\nnods: []\n")
    found = problems(tmp_path)
    assert [problem.split(":")[0] for problem in found] == ["etl.py", "w.flytemp.yaml"]


def test_invalid_files_are_refused(tmp_path: Path) -> None:
    files = {
        "an open quote.yaml": 'kind: task\nloader: "x',
        "a key twice.yaml": "kind: task\nkind: task",
        "a list as a key.yaml": "? [a]\n: 1",
        "unknown tag.yaml": "kind: !!set {a}",
        "a cycle.yaml": "a: &a [*a]",
        "empty.yaml": "",
        "text.yml": "just text",
        "cut off.json": '{"kind":\n "task"',
        "unknown key.json": '{"kind":\n\t"task",\n\t"loadr": "x"}',
    }

    def refused(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return "\n".join(problems(tmp_path / name))

    check_golden("spec-files", {name: partial(refused, name, text) for name, text in files.items()})


def test_files_in_several_folders_have_several_import_roots(tmp_path: Path) -> None:
    write(tmp_path, one__etl_py=MODULE, two__w_yaml="kind: workflow\nname: w\n")
    sources = load_sources([tmp_path / "one", tmp_path / "two" / "w.yaml"])
    assert (sources.root, sources.import_roots) == (tmp_path, ("one", "two"))
    with pytest.raises(InputError, match="two"):
        load_sources([tmp_path / "two" / "w.yaml"], root=tmp_path / "one")


def test_program_of_modules_alone_is_compiled_like_without_files(tmp_path: Path) -> None:
    from flytemp.compiler import compile_program, load_program

    folder = write(tmp_path, etl_py=MODULE)
    expected: list[Any] = compile_program(load_program([folder]), BUNDLE)
    assert compile_sources(load_sources([folder]), BUNDLE) == expected


def test_sub_workflows_and_tasks_of_a_file_are_registered_too(tmp_path: Path) -> None:
    text = """
kind: workflow
name: w
workflows:
  w: {nodes: [{kind: workflow, target: sub}]}
  sub: {nodes: [{kind: task, target: t}]}
tasks:
  t: {loader: "m:t", interface: {}}
"""
    documents = compiled(write(tmp_path, w_yaml=text) / "w.yaml")
    assert {name for kind, name in documents if kind != "launch_plan"} == {"w", "sub", "t"}
    assert isinstance(documents["task", "t"], TaskDocument)
    assert set(workflow_of(documents, "sub").tasks) == {"t"}


def test_example_of_the_reference_page_compiles(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "spec.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    code = "from flytemp import task\n\n@task\ndef double(x: int) -> int:\n    return 2 * x\n"
    documents = compiled(write(tmp_path, numbers_code_py=code, spec_yaml=example) / "spec.yaml")
    assert {name for _, name in documents} == {"numbers_code.double", "fourfold", "nightly"}
