"""Precedence and errors of the sources of settings."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flytemp.config import Settings, dev_state, load_settings, loading
from flytemp.config.dev_state import DevState
from flytemp.config.fields import ALL_FIELDS
from flytemp.errors import ConfigError

PROFILES = """
[profile.default]
address = "default-profile:7233"
namespace = "of-default-profile"

[profile.prod]
address = "prod:7233"
namespace = "of-prod"
api_key = "s3cret"
[profile.prod.tls]
client_key_data = "also s3cret"

[profile.bare]
namespace = "of-bare"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def load(project: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Return a function that loads the project's settings with given variables, without the machine's own configuration."""

    def call(start: Path | None = None, overrides: dict[str, str] | None = None, **environ: str) -> Settings:
        return load_settings(start, overrides=overrides or {}, environ={"HOME": str(tmp_path / "home"), **environ})

    return call


def profiles(tmp_path: Path, text: str = PROFILES) -> Path:
    path = tmp_path / "home" / ".config" / "temporalio" / "temporal.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def dev(project: Path, **changes: Any) -> DevState:
    state = DevState(
        pid=os.getpid(),
        address="127.0.0.1:17233",
        namespace="of-dev",
        store=f"file://{project}/dev-store",
        task_queue="dev-queue",
        ui_url="http://127.0.0.1:18233",
    )
    state = dataclasses.replace(state, **changes)
    dev_state.write(project, state)
    return state


def toml(project: Path, text: str) -> Path:
    path = project / "flytemp.toml"
    path.write_text(text)
    return path


# --------------------------------------------------------------------------------------------- defaults


def test_defaults(load: Callable[..., Settings], project: Path) -> None:
    settings = load()
    assert (settings.project, settings.domain) == ("default", "development")
    assert settings.store == f"file://{project}/.flytemp/store"
    assert settings.raw_data_prefix == f"file://{project}/.flytemp/store/data"
    assert settings.task_queue == "flytemp"
    assert (settings.address, settings.namespace) == ("localhost:7233", "default")
    assert (settings.profile, settings.config_file, settings.dev) == (None, None, None)
    assert settings.ui_url == "http://localhost:8233"
    assert settings.project_dir == project
    assert settings.state_dir == project / ".flytemp"
    assert settings.notes == ()
    worker = settings.worker
    assert worker.slots >= 1
    assert (worker.heartbeat_seconds, worker.grace_seconds, worker.drain_seconds) == (10, 10, 30)
    assert (worker.recycle_after, worker.max_system_tries, worker.continue_as_new_events) == (100, 10, 7_500)
    assert (worker.max_parallelism, worker.pass_environment) == (25, ())
    assert (worker.metrics_address, worker.backend) == ("127.0.0.1:9464", "process")


def test_pods_report_less_often_than_processes(load: Callable[..., Settings]) -> None:
    assert load(FLYTEMP_WORKER_BACKEND="kubernetes").worker.heartbeat_seconds == 60
    assert load(FLYTEMP_WORKER_BACKEND="kubernetes", FLYTEMP_WORKER_HEARTBEAT_SECONDS="7").worker.heartbeat_seconds == 7


def test_settings_cannot_be_changed(load: Callable[..., Settings]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().store = "x"  # type: ignore[misc]


def test_loading_does_not_import_heavy_modules() -> None:
    program = (
        "import sys; from flytemp.config import load_settings; load_settings();"
        "assert not {'pydantic', 'fsspec', 'temporalio', 'rich', 'click', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# ------------------------------------------------------------------------------------------- precedence

SOURCES = ("flag", "variable", "file", "profile", "dev", "default profile", "default")


@pytest.mark.parametrize("best", SOURCES)
def test_first_source_with_a_value_has_precedence(
    load: Callable[..., Settings], project: Path, tmp_path: Path, best: str
) -> None:
    """``best`` and every source after it have an address."""
    there = set(SOURCES[SOURCES.index(best) :])
    file = tmp_path / "home" / ".config" / "temporalio" / "temporal.toml"
    overrides = {"address": "flag:1"} if "flag" in there else {}
    environ = {"TEMPORAL_ADDRESS": "variable:1"} if "variable" in there else {}
    lines = ['address = "file:1"'] if "file" in there else []
    if "profile" in there:
        lines.append('profile = "prod"')
    if "default profile" in there:
        profiles(tmp_path)
    if "dev" in there:
        dev(project)
    toml(project, "\n".join(lines))
    settings = load(overrides=overrides, **environ)
    expected = {
        "flag": ("flag:1", "--address"),
        "variable": ("variable:1", "environment TEMPORAL_ADDRESS"),
        "file": ("file:1", f"flytemp.toml ({project / 'flytemp.toml'})"),
        "profile": ("prod:7233", f"temporal profile prod ({file})"),
        "dev": ("127.0.0.1:17233", f"flytemp dev ({project / '.flytemp' / 'dev.json'})"),
        "default profile": ("default-profile:7233", f"temporal profile default ({file})"),
        "default": ("localhost:7233", "default"),
    }
    assert (settings.address, settings.origins["address"]) == expected[best]


@pytest.mark.parametrize(
    ("variable", "key", "value"),
    [
        ("FLYTEMP_PROJECT", "project", "other"),
        ("FLYTEMP_DOMAIN", "domain", "production"),
        ("FLYTEMP_STORE", "store", "s3://bucket/prefix"),
        ("FLYTEMP_RAW_DATA_PREFIX", "raw_data_prefix", "s3://raw/data"),
        ("FLYTEMP_TASK_QUEUE", "task_queue", "gpu"),
        ("FLYTEMP_ADDRESS", "address", "x:1"),
        ("TEMPORAL_ADDRESS", "address", "[::1]:7233"),
        ("TEMPORAL_NAMESPACE", "namespace", "team.a1b2c"),
        ("FLYTEMP_UI_URL", "ui_url", "https://temporal.example.org"),
    ],
)
def test_variables(load: Callable[..., Settings], variable: str, key: str, value: str) -> None:
    settings = load(**{variable: value})
    assert getattr(settings, key) == value
    assert settings.origins[key] == f"environment {variable}"


def test_variable_of_flytemp_precedes_that_of_temporal(load: Callable[..., Settings]) -> None:
    settings = load(TEMPORAL_ADDRESS="temporal:1", FLYTEMP_ADDRESS="flytemp:1")
    assert settings.address == "flytemp:1"


def test_empty_variable_is_ignored(load: Callable[..., Settings], project: Path) -> None:
    toml(project, 'domain = "staging"')
    assert load(FLYTEMP_DOMAIN="").domain == "staging"


def test_every_setting_has_a_variable_a_flag_and_a_key(load: Callable[..., Settings]) -> None:
    values = {
        "project": "p", "domain": "d", "store": "/s", "raw_data_prefix": "/r", "task_queue": "q", "address": "a:1",
        "allowed_uri_prefixes": "s3://b/x, /srv",
        "namespace": "n", "ui_url": "http://u", "state_dir": "/t", "slots": "3", "backend": "noop",
        "heartbeat_seconds": "1.5", "grace_seconds": "0", "drain_seconds": "7", "recycle_after": "8",
        "max_parallelism": "0", "max_in_flight": "9", "max_system_tries": "4", "continue_as_new_events": "50",
        "continue_as_new_drain_seconds": "2", "max_map_items": "7", "max_dynamic_depth": "3",
        "pool": "gpu", "pass_environment": "A, B", "metrics_address": "off",
        "sdk_metrics_address": "0.0.0.0:0", "kubeconfig": "/k", "context": "c", "image": "i:1", "policy": "/p.toml", "pods": "12",
    }  # fmt: skip
    fields = [field for field in ALL_FIELDS if field.name != "profile"]
    assert {field.name for field in fields} == set(values)
    by_variable = load(**{field.variables[0]: values[field.name] for field in fields})
    by_flag = load(overrides={field.key: values[field.name] for field in fields})
    assert dataclasses.replace(by_variable, origins={}) == dataclasses.replace(by_flag, origins={})
    assert by_flag.worker.pass_environment == ("A", "B")
    assert by_flag.allowed_uri_prefixes == ("s3://b/x", "/srv")
    assert by_flag.worker.metrics_address == ""
    assert {by_flag.origins[field.key] for field in fields} == {field.flag for field in fields}


def test_kubernetes_section(load: Callable[..., Settings], project: Path) -> None:
    toml(project, '[kubernetes]\npolicy = "pods.toml"\nnamespace = "{project}-{domain}"\n')
    chosen = load(FLYTEMP_KUBERNETES_IMAGE="tasks:1").kubernetes
    assert (chosen.policy, chosen.namespace, chosen.image) == (project / "pods.toml", "{project}-{domain}", "tasks:1")
    assert (chosen.kubeconfig, chosen.context, chosen.pods) == (None, None, 1_000)


def test_worker_section(load: Callable[..., Settings], project: Path) -> None:
    toml(project, '[worker]\nslots = 2\nheartbeat_seconds = 5\npass_environment = ["A", "B_1"]\nmetrics_address = ""\n')
    worker = load(FLYTEMP_WORKER_SLOTS="7").worker
    assert (worker.slots, worker.heartbeat_seconds, worker.pass_environment) == (7, 5.0, ("A", "B_1"))
    assert worker.metrics_address == ""


@pytest.mark.parametrize("name", ["worker.slots", "worker_slots", "slots"])
def test_worker_flag(load: Callable[..., Settings], name: str) -> None:
    settings = load(overrides={name: "5"})
    assert settings.worker.slots == 5
    assert settings.origins["worker.slots"] == "--slots"


# ---------------------------------------------------------------------------------------------- places


def test_project_is_found_in_parent_folders(load: Callable[..., Settings], project: Path) -> None:
    inner = project / "src" / "deep"
    inner.mkdir(parents=True)
    (project / "src" / ".flytemp").mkdir()
    assert load(inner).project_dir == project / "src"
    toml(project, "")
    assert load(inner).project_dir == project  # a flytemp.toml in a parent has precedence over a .flytemp
    (inner / "wf.py").write_text("")
    assert load(inner / "wf.py").project_dir == project
    assert load(inner).origins["project_dir"] == "the folder with flytemp.toml"


def test_current_folder_is_the_default_project(load: Callable[..., Settings], project: Path, tmp_path: Path) -> None:
    assert load().origins["project_dir"] == "the current folder"
    assert load(tmp_path).project_dir == tmp_path


@pytest.mark.parametrize(
    ("where", "text", "store"),
    [
        ("file", "data/store", "file://{project}/data/store"),
        ("file", "../store", "file://{tmp}/store"),
        ("file", "/abs/store/", "file:///abs/store"),
        ("file", "s3://bucket/x/", "s3://bucket/x"),
        ("flag", "store", "file://{project}/sub/store"),
        ("flag", "file:///abs", "file:///abs"),
        ("variable", "./store", "file://{project}/sub/store"),
        ("variable", "~/store", "file://{home}/store"),
    ],
)
def test_relative_store(
    load: Callable[..., Settings], project: Path, monkeypatch: pytest.MonkeyPatch, where: str, text: str, store: str
) -> None:
    """A relative store is relative to its file, else to the current folder."""
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    toml(project, f'store = "{text}"' if where == "file" else "")
    settings = load(
        overrides={"store": text} if where == "flag" else {}, **({"FLYTEMP_STORE": text} if where == "variable" else {})
    )
    assert settings.store == store.format(project=project, tmp=project.parent, home=Path.home())


def test_invalid_store_is_refused(load: Callable[..., Settings]) -> None:
    with pytest.raises(ConfigError, match="FLYTEMP_STORE") as caught:
        load(FLYTEMP_STORE="s3://")
    assert caught.value.hint


def test_state_folder(load: Callable[..., Settings], project: Path) -> None:
    toml(project, 'state_dir = "state"')
    assert load().state_dir == project / "state"
    assert load(FLYTEMP_STATE_DIR="/var/lib/flytemp").state_dir == Path("/var/lib/flytemp")


# ---------------------------------------------------------------------------------- Temporal's profiles


def test_default_profile(load: Callable[..., Settings], tmp_path: Path) -> None:
    path = profiles(tmp_path)
    settings = load()
    assert (settings.address, settings.namespace) == ("default-profile:7233", "of-default-profile")
    assert (settings.profile, settings.config_file) == (None, path)
    assert settings.ui_url is None


@pytest.mark.parametrize("by", ["flag", "variable", "own variable", "file"])
def test_selected_profile(load: Callable[..., Settings], project: Path, tmp_path: Path, by: str) -> None:
    path = profiles(tmp_path)
    toml(project, 'profile = "prod"' if by == "file" else "")
    variables = {"variable": {"TEMPORAL_PROFILE": "prod"}, "own variable": {"FLYTEMP_PROFILE": "prod"}}.get(by, {})
    settings = load(overrides={"profile": "prod"} if by == "flag" else {}, **variables)
    assert (settings.address, settings.namespace, settings.profile) == ("prod:7233", "of-prod", "prod")
    assert settings.origins["namespace"] == f"temporal profile prod ({path})"


def test_secrets_are_not_in_the_settings(load: Callable[..., Settings], tmp_path: Path) -> None:
    profiles(tmp_path)
    settings = load(overrides={"profile": "prod"}, TEMPORAL_API_KEY="s3cret")
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in repr(settings.describe())


def test_profile_without_an_address_uses_the_default(load: Callable[..., Settings], tmp_path: Path) -> None:
    profiles(tmp_path)
    settings = load(overrides={"profile": "bare"})
    assert (settings.address, settings.namespace) == ("localhost:7233", "of-bare")


def test_variables_precede_values_of_the_profile(load: Callable[..., Settings], tmp_path: Path) -> None:
    profiles(tmp_path)
    settings = load(TEMPORAL_PROFILE="prod", TEMPORAL_NAMESPACE="mine")
    assert (settings.address, settings.namespace) == ("prod:7233", "mine")


def test_configuration_file_of_the_variable(load: Callable[..., Settings], tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.toml"
    path.write_text('[profile.default]\naddress = "elsewhere:1"\n')
    settings = load(TEMPORAL_CONFIG_FILE=str(path))
    assert (settings.address, settings.config_file) == ("elsewhere:1", path)
    assert settings.origins["config_file"] == "environment TEMPORAL_CONFIG_FILE"


def test_missing_configuration_file_is_noted(load: Callable[..., Settings], tmp_path: Path) -> None:
    settings = load(TEMPORAL_CONFIG_FILE=str(tmp_path / "absent.toml"))
    assert settings.config_file is None
    assert settings.notes == (f"the file of TEMPORAL_CONFIG_FILE does not exist: {tmp_path / 'absent.toml'}",)


@pytest.mark.parametrize(
    ("platform", "environ", "path"),
    [
        ("linux", {"HOME": "/h"}, "/h/.config/temporalio/temporal.toml"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/temporalio/temporal.toml"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/temporalio/temporal.toml"),
        ("linux", {}, None),
        ("linux", {"HOME": "/h", "TEMPORAL_CONFIG_FILE": "/f.toml"}, "/f.toml"),
    ],
)
def test_default_path_of_temporals_configuration(
    monkeypatch: pytest.MonkeyPatch, platform: str, environ: dict[str, str], path: str | None
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert loading.config_file(environ) == (Path(path) if path else None)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("prdo", "did you mean 'prod'?"),
        ("zzz", "--profile"),
    ],
)
def test_missing_profile_is_refused(load: Callable[..., Settings], tmp_path: Path, name: str, hint: str) -> None:
    path = profiles(tmp_path)
    with pytest.raises(ConfigError, match=f"'{name}'.*{path}.*bare, default, prod") as caught:
        load(overrides={"profile": name})
    assert hint in (caught.value.hint or "")


def test_profile_without_a_file_is_refused(load: Callable[..., Settings]) -> None:
    with pytest.raises(ConfigError, match=r"'prod'.*temporal\.toml"):
        load(overrides={"profile": "prod"})


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("[profile.default\n", "TOML", 1),
        ('[profile.default]\naddress = "x\n', "TOML", 2),
        ("x = 1\n[profile.default]\nnamespace = 5\n", "'namespace'.*'default'", 3),
        ("profile = 1\n", "'profile'", 1),
        ("[profile]\ndefault = 1\n", "'profile.default'", 2),
    ],
)
def test_damaged_configuration_of_temporal_is_refused(
    load: Callable[..., Settings], tmp_path: Path, text: str, name: str, line: int
) -> None:
    path = profiles(tmp_path, text)
    with pytest.raises(ConfigError, match=name) as caught:
        load()
    assert str(caught.value.location) == f"{path}:{line}"


# ----------------------------------------------------------------------------------------- flytemp dev


def test_running_flytemp_dev_is_used(load: Callable[..., Settings], project: Path) -> None:
    state = dev(project)
    settings = load()
    assert (settings.address, settings.namespace) == (state.address, "of-dev")
    assert (settings.store, settings.task_queue) == (state.store, "dev-queue")
    assert settings.ui_url == "http://127.0.0.1:18233"
    assert settings.dev is not None
    assert settings.dev.pid == state.pid
    assert settings.origins["store"] == f"flytemp dev ({project / '.flytemp' / 'dev.json'})"


def test_flytemp_dev_precedes_the_default_profile(load: Callable[..., Settings], project: Path, tmp_path: Path) -> None:
    profiles(tmp_path)
    dev(project)
    assert load().namespace == "of-dev"


@pytest.mark.parametrize(
    ("environ", "overrides", "reason"),
    [
        ({"TEMPORAL_ADDRESS": "prod:7233"}, {}, "the address comes from environment TEMPORAL_ADDRESS"),
        ({}, {"address": "prod:7233"}, "the address comes from --address"),
        ({"TEMPORAL_PROFILE": "bare"}, {}, "the Temporal profile 'bare' was chosen"),
    ],
)
def test_flytemp_dev_is_ignored_if_another_temporal_is_selected(
    load: Callable[..., Settings],
    project: Path,
    tmp_path: Path,
    environ: dict[str, str],
    overrides: dict[str, str],
    reason: str,
) -> None:
    profiles(tmp_path)
    dev(project)
    settings = load(overrides=overrides, **environ)
    assert settings.dev is None
    assert settings.store == f"file://{project}/.flytemp/store"
    assert settings.task_queue == "flytemp"
    assert settings.namespace != "of-dev"
    assert settings.notes == (f"the `flytemp dev` of {project} at 127.0.0.1:17233 is not used: {reason}",)


def test_flytemp_dev_is_used_for_its_own_address(load: Callable[..., Settings], project: Path) -> None:
    state = dev(project)
    settings = load(TEMPORAL_ADDRESS=state.address, TEMPORAL_NAMESPACE="mine")
    assert settings.dev is not None
    assert (settings.store, settings.namespace) == (state.store, "mine")


def test_store_setting_precedes_flytemp_dev(load: Callable[..., Settings], project: Path) -> None:
    state = dev(project)
    settings = load(FLYTEMP_STORE="s3://bucket/x")
    assert (settings.address, settings.store) == (state.address, "s3://bucket/x")


def test_ended_flytemp_dev_is_noted(load: Callable[..., Settings], project: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dev(project, pid=ended.pid)
    settings = load()
    assert settings.dev is None
    assert settings.address == "localhost:7233"
    path = project / ".flytemp" / "dev.json"
    assert settings.notes == (f"{path} is ignored: its `flytemp dev` (process {ended.pid}) has ended",)


def test_damaged_state_file_is_noted(load: Callable[..., Settings], project: Path) -> None:
    (project / ".flytemp").mkdir()
    (project / ".flytemp" / "dev.json").write_text("{")
    settings = load()
    assert settings.address == "localhost:7233"
    assert len(settings.notes) == 1
    assert "dev.json" in settings.notes[0]


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("text", "name", "hint", "line"),
    [
        ("store = \n", "TOML", "store = ", 1),
        ('# fine\nproject = "p"\n\nproject = "q"\n', "TOML", "", 4),
        ('project = "p"\nstroe = "x"\n', "'stroe'", "did you mean 'store'?", 2),
        ("[wroker]\nslots = 1\n", "[wroker]", "did you mean 'worker'?", 1),
        ("[worker]\nslot = 1\n", "'slot' in [worker]", "did you mean 'slots'?", 2),
        ("slots = 1\n", "'slots'", "[worker]", 1),
        ('[worker]\nstore = "x"\n', "'store' in [worker]", "above", 2),
        ("worker = 3\n", "'worker'", "[worker]", 1),
        ("zzzzzz = 1\n", "'zzzzzz'", "project, domain", 1),
        ("\nproject = 5\n", "project = 5", "", 2),
        ('project = "Not Good"\n', "project = 'Not Good'", "", 1),
        ("[worker]\n\nslots = 0\n", "worker.slots = 0", "", 3),
        ("[worker]\nslots = true\n", "worker.slots = True", "", 2),
        ("[worker]\nslots = 1.5\n", "worker.slots = 1.5", "", 2),
        ('[worker]\ndrain_seconds = "soon"\n', "worker.drain_seconds = 'soon'", "", 2),
        ("[worker]\ndrain_seconds = -1\n", "worker.drain_seconds = -1", "", 2),
        ("[worker]\ndrain_seconds = inf\n", "worker.drain_seconds = inf", "", 2),
        ("[worker]\ndrain_seconds = nan\n", "worker.drain_seconds = nan", "", 2),
        ('[worker]\nbackend = "pods"\n', "worker.backend = 'pods'", "", 2),
        ('[worker]\nmetrics_address = "9464"\n', "worker.metrics_address = '9464'", "", 2),
        ("[worker]\npass_environment = [1]\n", "worker.pass_environment = [1]", "", 2),
        ('address = "no-port"\n', "address = 'no-port'", "", 1),
        ('address = "host:99999"\n', "address = 'host:99999'", "", 1),
        ('ui_url = "localhost:8233"\n', "ui_url = 'localhost:8233'", "", 1),
        ('store = ""\n', "store = ''", "", 1),
    ],
)
def test_invalid_project_file_is_refused(
    load: Callable[..., Settings], project: Path, text: str, name: str, hint: str, line: int
) -> None:
    path = toml(project, text)
    with pytest.raises(ConfigError) as caught:
        load()
    assert name in str(caught.value)
    assert hint in (caught.value.hint or "")
    assert caught.value.hint
    assert str(caught.value.location) == f"{path}:{line}"


def test_project_file_that_is_not_text_is_refused(load: Callable[..., Settings], project: Path) -> None:
    (project / "flytemp.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"flytemp\.toml"):
        load()


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("FLYTEMP_WORKER_SLOTS", "many", "worker.slots"),
        ("FLYTEMP_WORKER_SLOTS", "0", "worker.slots"),
        ("FLYTEMP_DOMAIN", "a/b", "domain"),
        ("TEMPORAL_ADDRESS", "http://x", "address"),
        ("FLYTEMP_WORKER_PASS_ENVIRONMENT", "A,B-C", "worker.pass_environment"),
        ("FLYTEMP_WORKER_HEARTBEAT_SECONDS", "0", "worker.heartbeat_seconds"),
    ],
)
def test_invalid_variable_is_refused(load: Callable[..., Settings], variable: str, value: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} = .*{variable}"):
        load(**{variable: value})


def test_invalid_flag_is_refused(load: Callable[..., Settings]) -> None:
    with pytest.raises(ConfigError, match=r"'X Y'.*--project"):
        load(overrides={"project": "X Y"})
    with pytest.raises(ConfigError, match="'stor'") as caught:
        load(overrides={"stor": "x"})
    assert caught.value.hint == "did you mean 'store'?"


def test_misspelt_variable_is_noted(load: Callable[..., Settings]) -> None:
    settings = load(FLYTEMP_STROE="x", FLYTEMP_SECRETS_ENV_PREFIX="x", FLYTEMP_QUITE_ANOTHER_THING="x", FLYTEMPX="x")
    assert settings.notes == ("the variable FLYTEMP_STROE is not a setting; did you mean FLYTEMP_STORE?",)


# --------------------------------------------------------------------------------------------- describe


def test_describe_has_every_value_and_its_origin(load: Callable[..., Settings], project: Path) -> None:
    path = toml(project, 'domain = "staging"\n[worker]\ndrain_seconds = 2.5\npass_environment = ["A", "B"]\n')
    rows = {key: (value, origin) for key, value, origin in load(FLYTEMP_TASK_QUEUE="q").describe()}
    assert rows["domain"] == ("staging", f"flytemp.toml ({path})")
    assert rows["task_queue"] == ("q", "environment FLYTEMP_TASK_QUEUE")
    assert rows["project"] == ("default", "default")
    assert rows["profile"] == ("", "default")
    assert rows["worker.drain_seconds"] == ("2.5", f"flytemp.toml ({path})")
    assert rows["worker.pass_environment"] == ("A,B", f"flytemp.toml ({path})")
    assert rows["worker.heartbeat_seconds"] == ("10", "default")
    assert rows["worker.slots"][1] == "default (one per CPU)"
    assert {field.key for field in ALL_FIELDS} <= set(rows)
