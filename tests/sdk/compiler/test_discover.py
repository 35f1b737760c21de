"""Loading of programs: import roots, entities, and isolation of programs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from flytemp.compiler import compile_entity, compile_program, content_version, find_entity, load_program, program_warnings
from flytemp.errors import InputError, NotFound, ProgramError
from flytemp.spec.models import BundleRef, TaskDocument, WorkflowDocument
from tests.messages.golden import check_golden, unlocated

WF = """
from flytemp import task, workflow
{imports}

@task
def t(x: int) -> int:
    return {body}

@workflow
def wf(x: int = 1) -> int:
    return t(x=x)
"""


def write(root: Path, **files: str) -> Path:
    """Files by dotted path: ``a__b`` is ``a/b.py``."""
    for name, text in files.items():
        path = root / f"{name.replace('__', '/').replace('INIT', '__init__')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def program_text(body: str = "x + 1", imports: str = "") -> str:
    return WF.format(body=body, imports=imports)


def test_import_root_is_the_first_directory_without_init(tmp_path: Path) -> None:
    write(tmp_path, src__top=program_text(), src__pkg__INIT="", src__pkg__inner=program_text())
    by_file = load_program([tmp_path / "src" / "pkg" / "inner.py"])
    assert by_file.root == tmp_path / "src"
    assert list(by_file.workflows) == ["pkg.inner.wf"]
    by_package = load_program([tmp_path / "src" / "pkg"])
    assert (by_package.root, list(by_package.workflows)) == (tmp_path / "src", ["pkg.inner.wf"])
    by_directory = load_program([tmp_path / "src"])
    assert (by_directory.root, sorted(by_directory.workflows)) == (tmp_path / "src", ["pkg.inner.wf", "top.wf"])


def test_locations_are_relative_to_the_import_root(tmp_path: Path) -> None:
    write(tmp_path, pkg__INIT="", pkg__inner=program_text())
    spec = load_program([tmp_path / "pkg"]).workflows["pkg.inner.wf"].spec()
    assert spec.location is not None
    assert (spec.location.file, spec.location.line) == ("pkg/inner.py", 10)
    assert spec.nodes[0].location is not None
    assert (spec.nodes[0].location.file, spec.nodes[0].location.line) == ("pkg/inner.py", 11)


def test_paths_may_have_several_import_roots(tmp_path: Path) -> None:
    write(tmp_path, one__a=program_text(), two__b=program_text())
    program = load_program([tmp_path / "one" / "a.py", tmp_path / "two" / "b.py"])
    assert (program.root, program.import_roots) == (tmp_path, ("one", "two"))
    assert sorted(program.workflows) == ["a.wf", "b.wf"]


def test_given_root_is_used(tmp_path: Path) -> None:
    write(tmp_path, src__a=program_text())
    program = load_program([tmp_path / "src"], root=tmp_path)
    assert (program.root, program.import_roots) == (tmp_path, ("src",))
    with pytest.raises(InputError, match="deeper"):
        load_program([tmp_path / "src"], root=tmp_path / "src" / "deeper")


def test_programs_of_equal_module_names_are_isolated(tmp_path: Path) -> None:
    for name, step in (("first", "10"), ("second", "20")):
        write(
            tmp_path / name,
            wf=program_text("helper.STEP + x", "import helper")
            + "\n@task\ndef late() -> int:\n    import later\n    return later.STEP\n",
            helper=f"STEP = {step}",
            later=f"STEP = {step} * 2",
        )
    first = load_program([tmp_path / "first" / "wf.py"])
    second = load_program([tmp_path / "second" / "wf.py"])
    again = load_program([tmp_path / "first" / "wf.py"])
    assert [program.workflows["wf.wf"](x=1) for program in (first, second, again)] == [11, 21, 11]
    for program, step in ((first, 20), (second, 40), (again, 20)):
        with program.activated():
            assert program.tasks["wf.late"]() == step
    assert content_version(compile_program(first, None)) == content_version(compile_program(again, None))
    assert sys.path.count(str(tmp_path / "second")) == 0
    assert Path(str(sys.modules["helper"].__file__)).parent == tmp_path / "first", "the one that was loaded last"


def test_modules_of_the_process_are_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = SimpleNamespace(STEP=0)
    monkeypatch.setitem(sys.modules, "helper", mine)
    monkeypatch.setitem(sys.modules, "unused", mine)
    write(tmp_path / "p", wf=program_text("helper.STEP + x", "import helper"), helper="STEP = 5", unused="")
    write(tmp_path / "q", other=program_text())
    program = load_program([tmp_path / "p" / "wf.py"])
    assert program.workflows["wf.wf"]() == 6
    assert sys.modules["helper"] is mine, "hiding it would surprise this process"
    assert str(tmp_path / "p") not in sys.path
    assert compile_entity(program.workflows["wf.wf"])
    monkeypatch.delitem(sys.modules, "helper")
    load_program([tmp_path / "p" / "wf.py"])
    assert sys.modules["unused"] is mine, "the program does not use it"
    assert sys.modules["wf"].helper is sys.modules["helper"]
    load_program([tmp_path / "q"])
    assert not {"wf", "helper"} & sys.modules.keys()


def test_failed_import_leaves_no_modules(tmp_path: Path) -> None:
    write(tmp_path, good=program_text(), bad="import good\nraise KeyError('x')\n", worse="import bad\n")
    path = list(sys.path)
    with pytest.raises(ProgramError) as raised:
        load_program([tmp_path])
    assert [problem.location.line if problem.location else 0 for problem in raised.value.problems] == [2, 2]
    assert raised.value.problems[0].traceback is not None
    assert "importlib" not in raised.value.problems[0].traceback
    assert not {"good", "bad", "worse"} & sys.modules.keys()
    assert [entry for entry in sys.path if str(tmp_path) in entry] == [entry for entry in path if str(tmp_path) in entry]


def test_imported_entities_of_other_modules_are_not_collected(tmp_path: Path) -> None:
    write(
        tmp_path,
        shared=program_text(),
        main="from flytemp import workflow\nfrom shared import t, wf\n\n@workflow\ndef main() -> int:\n    return t(x=wf())\n",
    )
    program = load_program([tmp_path / "main.py"])
    assert (list(program.workflows), list(program.tasks)) == (["main.main"], [])
    document = compile_entity(program.workflows["main.main"])
    assert isinstance(document, WorkflowDocument)
    assert (list(document.workflows), list(document.tasks)) == (["main.main", "shared.wf"], ["shared.t"])
    assert document.tasks["shared.t"].loader == "shared:t"
    assert {(document.kind, document.name) for document in compile_program(program, None)} == {
        ("workflow", "main.main"),
        ("workflow", "shared.wf"),
        ("task", "shared.t"),
        ("launch_plan", "main.main"),
        ("launch_plan", "shared.wf"),
    }


def test_task_of_an_installed_package_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "site", team_tasks=program_text())
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    text = "from flytemp import workflow\nfrom team_tasks import t\n\n@workflow\ndef main() -> int:\n    return t(x=1)\n"
    program = load_program([write(tmp_path / "p", main=text) / "main.py"])
    try:
        document = compile_entity(program.workflows["main.main"], BundleRef(digest="0" * 64, size=1))
        assert isinstance(document, WorkflowDocument)
        assert document.tasks["team_tasks.t"].loader == "team_tasks:t"
        assert program.workflows["main.main"]() == 2
    finally:
        sys.modules.pop("team_tasks", None)


def test_task_under_another_variable_is_found(tmp_path: Path) -> None:
    text = "from flytemp import task\n\ndef impl(x: int) -> int:\n    return x\n\nrenamed = task(retries=3)(impl)\n"
    program = load_program([write(tmp_path, m=text) / "m.py"])
    document = compile_entity(program.tasks["m.impl"])
    assert isinstance(document, TaskDocument)
    assert (document.name, document.task.loader) == ("m.impl", "m:renamed")
    assert find_entity(program, "renamed") is find_entity(program, "m.impl")


def test_tests_and_ignored_files_of_a_directory_are_not_imported(tmp_path: Path) -> None:
    boom = "raise AssertionError('imported')"
    write(tmp_path, wf=program_text(), test_wf=boom, conftest=boom, setup=boom, scratch=boom, sub__wf_test=boom)
    write(tmp_path, **{".venv__lib": boom, "sub__deep__more": program_text()})
    (tmp_path / ".flytempignore").write_text("scratch.py\n")
    (tmp_path / "my-notes.py").write_text(boom)
    assert sorted(load_program([tmp_path]).workflows) == ["sub.deep.more.wf", "wf.wf"]


def test_script_with_a_dash_in_its_name_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "my-script.py"
    file.write_text(program_text())
    document = compile_entity(load_program([file]).tasks["my-script.t"])
    assert isinstance(document, TaskDocument)
    assert document.task.loader == "my-script:t"


def test_file_named_like_a_module_of_python_is_refused(tmp_path: Path) -> None:
    write(tmp_path, random=program_text(), flytemp_x=program_text())
    with pytest.raises(ProgramError) as raised:
        load_program([tmp_path])
    assert len(raised.value.problems) == 2


def test_texts_of_errors(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    write(tmp_path / "bad", good=program_text(), bad="import good\nraise KeyError('x')\n", worse="import bad\n")
    write(tmp_path / "named", random=program_text(), flytemp_x=program_text())
    two = write(tmp_path / "two", one=program_text(), two=program_text())
    cases = {
        "a missing file": unlocated(lambda: load_program([tmp_path / "nothing.py"]), NotFound),
        "no module": unlocated(lambda: load_program([tmp_path / "notes.txt"]), InputError),
        "no paths": unlocated(lambda: load_program([]), InputError),
        "outside of the root": unlocated(lambda: load_program([two], root=two / "deeper"), InputError),
        "failed imports": unlocated(lambda: load_program([tmp_path / "bad"]), ProgramError),
        "names of other modules": unlocated(lambda: load_program([tmp_path / "named"]), ProgramError),
        "a name of two entities": unlocated(lambda: find_entity(load_program([two]), "wf"), InputError),
    }
    check_golden("discovery", cases, {str(tmp_path): "FOLDER"})


def test_entity_is_found_by_name_or_variable(tmp_path: Path) -> None:
    plan = "\nfrom flytemp import LaunchPlan\nnightly = LaunchPlan.get_or_create(wf, 'every-night')\n"
    program = load_program([write(tmp_path, one=program_text() + plan, two=program_text().replace("def t(", "def only("))])
    assert find_entity(program, "one.wf") is program.workflows["one.wf"]
    assert find_entity(program, "only") is program.tasks["two.only"]
    assert find_entity(program, "nightly") is find_entity(program, "every-night") is program.launch_plans["every-night"]
    with pytest.raises(InputError, match=r"'wf'.*one\.wf.*two\.wf"):
        find_entity(program, "wf")
    with pytest.raises(NotFound) as raised:
        find_entity(program, "nightli")
    assert raised.value.hint == "did you mean nightly?"
    with pytest.raises(NotFound) as raised:
        find_entity(program, "zzz")
    assert raised.value.hint == "the program has nightly, only, t, wf"


def test_default_version_depends_on_the_content(tmp_path: Path) -> None:
    def version(text: str, bundle: BundleRef | None = None) -> str:
        (tmp_path / "m.py").write_text(text)
        for cached in tmp_path.glob("__pycache__/*"):
            cached.unlink()  # it is chosen by the time of the file, in whole seconds
        return content_version(compile_program(load_program([tmp_path / "m.py"]), bundle))

    plain = version(program_text())
    assert version("\n\n# moved down\n" + program_text()) == plain, "file and line are not content"
    assert version(program_text().replace("= 1)", "= 2)")) != plain
    assert version(program_text(), BundleRef(digest="1" * 64, size=1)) != plain
    assert len(plain) == 16


def test_a_replaced_function_is_not_registered_and_reported(tmp_path: Path) -> None:
    text = """
from flytemp import task, workflow

@task
def t() -> int:
    return 1

@workflow
def wf() -> int:
    return t()

@task
def t() -> int:
    return 2

@workflow
def wf() -> int:
    return t()
"""
    program = load_program([write(tmp_path, m=text) / "m.py"])
    names = [(document.kind, document.name) for document in compile_program(program, None)]
    assert names == [("task", "m.t"), ("workflow", "m.wf"), ("launch_plan", "m.wf")]
    assert program.tasks["m.t"].site.location.line == 13
    warnings = program_warnings(program)
    assert [warning.location.line for warning in warnings if warning.location] == [5, 9]
    assert [warning.hint for warning in warnings] == ["rename one of the functions"] * 2


def test_text_that_is_not_unicode_is_refused_with_its_place(tmp_path: Path) -> None:
    text = r"""
from flytemp import ContainerTask, Documentation, task

c = ContainerTask(name="c", image="debian", command=["echo", "\udcff"])

@task(docs=Documentation(short_description="\udcff"))
def t() -> int:
    return 1
"""
    with pytest.raises(ProgramError) as raised:
        compile_program(load_program([write(tmp_path, main=text)]), None)
    in_command, in_docs = raised.value.problems
    assert "task.container.command[1]" in in_command.message
    assert "task.docs.short" in in_docs.message


def test_line_of_an_invalid_dataclass_is_that_of_its_call(tmp_path: Path) -> None:
    text = "from flytemp import Resources\n\nsmall = Resources(mem='many')\n"
    with pytest.raises(ProgramError) as raised:
        load_program([write(tmp_path, main=text) / "main.py"])
    (problem,) = raised.value.problems
    assert problem.location is not None
    assert (Path(problem.location.file).name, problem.location.line) == ("main.py", 3)


def test_warnings_have_their_lines(tmp_path: Path) -> None:
    text = """
from flytemp import Cache, task, workflow
from flytemp.types.file import FlyteFile

@task(cache=Cache(version="1"), deprecated="use u")
def t(x: int) -> int:
    return x

@task(enable_deck=True)
def read(files: list[FlyteFile]) -> int:
    return 1

@workflow
def wf(file: FlyteFile = FlyteFile("/tmp/input.csv")) -> int:
    read(files=[file, FlyteFile("/tmp/other.csv")])
    return t(x=1).with_overrides(cache=Cache(version="2"))
"""
    program = load_program([write(tmp_path, m=text) / "m.py"])
    warnings = program_warnings(program)
    assert [warning.location.line if warning.location else 0 for warning in warnings] == [6, 6, 10, 14, 15, 16]
    check_golden("warnings", {"a program": lambda: "\n".join(warning.message for warning in warnings)})


def test_settings_of_pods_give_one_warning_per_kind(tmp_path: Path) -> None:
    text = """
from flytemp import ContainerTask, PodTemplate, Resources, Secret, task, workflow
from flytemp.extras.accelerators import A100

@task(container_image="team/image:1", requests=Resources(cpu="2"), secret_requests=[Secret(group="db", key="password")])
def first() -> int:
    return 1

@task(resources=Resources(mem="1Gi"), accelerator=A100, shared_memory=True, pod_template=PodTemplate())
def second() -> int:
    return 2

@task
def plain() -> int:
    return 3

hello = ContainerTask(name="hello", image="debian:12-slim", command=["true"])

@workflow
def wf() -> int:
    first()
    second()
    hello()
    return plain().with_overrides(requests=Resources(gpu="1"))
"""
    program = load_program([write(tmp_path, m=text) / "m.py"])
    lines = [f"{problem.location.line if problem.location else 0}: {problem.message}" for problem in program_warnings(program)]
    check_golden("pod-warnings", {"a program": lambda: "\n".join(sorted(lines))})
