"""Options of `@task` and `with_overrides`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flytemp import Backoff, Cache, DeckField, Documentation, PodTemplate, Resources, RetryStrategy, Secret, task, workflow
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.pod import kubernetes_json
from flytemp.authoring.quantities import amount
from flytemp.authoring.settings import task_settings
from flytemp.errors import NotSupported
from flytemp.extras.accelerators import A100, A100_80GB, T4, GPUAccelerator
from flytemp.spec.field_checks import settings_problems
from flytemp.spec.models import AcceleratorSpec, CacheSpec, ResourceAmounts, ResourceSpec, TaskSettings
from flytemp.spec.models import Backoff as BackoffSpec
from tests.messages.golden import check_golden, unlocated


def test_defaults() -> None:
    assert task_settings({}) == TaskSettings()


def test_every_option_is_stored() -> None:
    settings = task_settings(
        {
            "retries": RetryStrategy(3, Backoff(base=timedelta(seconds=2), factor=3, cap=10, jitter=False)),
            "timeout": timedelta(minutes=2),
            "interruptible": True,
            "cache": Cache(version="1.0", serialize=True, ignored_inputs=("a",), salt="s"),
            "container_image": "registry/image:1",
            "resources": Resources(cpu=("500m", 2), mem="1Gi", gpu=1, ephemeral_storage="10G"),
            "environment": {"A": "1"},
            "secret_requests": [Secret("db", "password", mount_requirement=Secret.MountType.ENV_VAR)],
            "labels": {"team": "x"},
            "annotations": {"note": "y"},
            "pod_template": PodTemplate(pod_spec={"containers": [{"name": "primary"}]}, labels={"l": "1"}),
            "pod_template_name": "base",
            "accelerator": A100.partition_2g_10gb,
            "shared_memory": "2Gi",
            "pool": "gpu",
            "reuse": "process",
            "enable_deck": True,
            "deck_fields": [DeckField.INPUT, "Timeline"],
            "deprecated": "use the other",
        }
    )
    assert settings.retries.count == 3
    assert settings.retries.backoff == BackoffSpec(base_seconds=2, factor=3, cap_seconds=10, jitter=False)
    assert settings.timeout_seconds == 120
    assert settings.interruptible is True
    assert settings.cache == CacheSpec(version="1.0", serialize=True, ignored_inputs=("a",), salt="s")
    assert settings.container_image == "registry/image:1"
    assert settings.resources.requests == ResourceAmounts(cpu="500m", memory="1Gi", gpu="1", ephemeral_storage="10G")
    assert settings.resources.limits == ResourceAmounts(cpu="2", memory="1Gi", gpu="1", ephemeral_storage="10G")
    assert settings.environment == {"A": "1"}
    assert settings.secrets[0].model_dump(exclude_none=True) == {"group": "db", "key": "password", "mount": "env"}
    assert (settings.labels, settings.annotations) == ({"team": "x"}, {"note": "y"})
    assert settings.pod_template is not None
    assert settings.pod_template.spec == {"containers": [{"name": "primary"}]}
    assert settings.pod_template.labels == {"l": "1"}
    assert settings.pod_template_name == "base"
    assert settings.accelerator == AcceleratorSpec(device="nvidia-tesla-a100", partition_size="2g.10gb")
    assert (settings.shared_memory, settings.pool, settings.reuse) == ("2Gi", "gpu", "process")
    assert settings.enable_deck
    assert settings.deck_fields == ("Input", "Timeline")
    assert settings.deprecated == "use the other"
    assert TaskSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"retries": 2}, {"retries": {"count": 2}}),
        ({"timeout": 90}, {"timeout_seconds": 90.0}),
        ({"timeout": 0.5}, {"timeout_seconds": 0.5}),
        ({"timeout": 0}, {}),
        ({"cache": True, "cache_version": "1"}, {"cache": {"version": "1"}}),
        (
            {"cache": True, "cache_version": "1", "cache_serialize": True, "cache_ignore_input_vars": ("a", "b")},
            {"cache": {"version": "1", "serialize": True, "ignored_inputs": ("a", "b")}},
        ),
        ({"requests": Resources(cpu=1)}, {"resources": {"requests": {"cpu": "1"}}}),
        ({"limits": Resources(mem=1024)}, {"resources": {"limits": {"memory": "1024"}}}),
        ({"disable_deck": False}, {"enable_deck": True}),
        ({"disable_deck": True}, {}),
        ({"shared_memory": True}, {"shared_memory": True}),
        ({"accelerator": T4}, {"accelerator": {"device": "nvidia-tesla-t4"}}),
        ({"accelerator": A100_80GB.unpartitioned}, {"accelerator": {"device": "nvidia-a100-80gb", "unpartitioned": True}}),
        ({"accelerator": GPUAccelerator("mine")}, {"accelerator": {"device": "mine"}}),
    ],
)
def test_shorter_forms(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert task_settings(options).model_dump(exclude_defaults=True) == expected


UNUSED: list[dict[str, Any]] = [
    {"cache_version": "1"},
    {"cache_serialize": True},
    {"cache_ignore_input_vars": ("a",)},
    {"cache_version": "1", "cache": False},
]


@pytest.mark.parametrize("options", UNUSED, ids=repr)
def test_cache_options_without_cache_are_reported_and_have_no_effect(options: dict[str, Any]) -> None:
    @task(**options)
    def plain(a: int) -> int:
        return a

    assert plain.settings.cache is None
    (message,) = plain.unused_options
    assert all(f"{name}={value!r}" in message for name, value in options.items() if name != "cache")


def test_cache_options_with_cache_are_not_reported() -> None:
    @task(cache=True, cache_version="1", cache_serialize=True)
    def cached(a: int) -> int:
        return a

    assert cached.unused_options == []


INVALID: list[dict[str, Any]] = [
    {"foo": 1},
    {"retries": -1},
    {"retries": True},
    {"retries": RetryStrategy(-1)},
    {"timeout": "1h"},
    {"timeout": -1},
    {"cache": True},
    {"cache": 3},
    {"cache": Cache(version="1"), "cache_version": "2"},
    {"resources": Resources(cpu=1), "limits": Resources(cpu=1)},
    {"requests": Resources(cpu=(1, 2))},
    {"resources": "big"},
    {"environment": {"A": 1}},
    {"labels": ["a"]},
    {"secret_requests": ["a"]},
    {"secret_requests": Secret("g")},
    {"interruptible": "yes"},
    {"pool": "GPU 1"},
    {"pool": 1},
    {"reuse": "model"},
    {"reuse": True},
    {"pod_template": {"containers": []}},
    {"pod_template": PodTemplate(pod_spec=["a"])},
    {"accelerator": "T4"},
    {"shared_memory": "lots"},
    {"enable_deck": True, "disable_deck": False},
    {"deck_fields": ["Nothing"]},
    {"node_dependency_hints": []},
]


def test_invalid_options_are_refused() -> None:
    cases = {repr(options): unlocated(lambda options=options: task_settings(options)) for options in INVALID}
    check_golden("task-options", cases)


@pytest.mark.parametrize("options", INVALID, ids=repr)
def test_errors_of_options_are_value_errors(options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as raised:
        task_settings(options)
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    "options",
    [
        {"task_config": object()},
        {"container_image": object()},
        {"task_resolver": object()},
        {"pickle_untyped": True},
        {"execution_mode": 2},
    ],
)
def test_unsupported_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(NotSupported) as raised:
        task_settings(options)
    assert raised.value.hint


def test_documents_with_fractions_of_a_byte_are_refused() -> None:
    amounts = ResourceAmounts(cpu="0.1", memory="500m", ephemeral_storage="1.5Gi")
    settings = TaskSettings(resources=ResourceSpec(requests=amounts), shared_memory="0.5")
    problems = [problem.message for problem in settings_problems(settings)]
    assert [next(name for name in ("requests.memory", "shared_memory") if name in text) for text in problems] == [
        "shared_memory",
        "requests.memory",
    ]


@pytest.mark.parametrize("memory", [1, 2.0, "1.5Gi", "0.1M", "1e3", 1024, "500Mi"])
def test_whole_bytes_and_fractions_of_larger_units_are_memory(memory: float | str) -> None:
    settings = task_settings({"resources": Resources(cpu=0.1, mem=memory)})
    assert settings.resources.requests.memory is not None


def test_invalid_resources_are_refused() -> None:
    invalid: list[dict[str, Any]] = [
        {"cpu": (1, 2, 3)},
        {"cpu": "many"},
        {"mem": "1 GB"},
        {"cpu": -1},
        {"gpu": "0.5"},
        {"cpu": True},
        {"mem": 0.1},
        {"mem": "500m"},
        {"ephemeral_storage": (1, "2.5")},
    ]
    check_golden("resources", {repr(values): unlocated(lambda values=values: Resources(**values)) for values in invalid})


def test_quantities_compare_as_kubernetes_does() -> None:
    ordered = ["1n", "5u", "500m", "1", "1.5", "1k", "1Ki", "1e6", "1M", "1Mi", "1G", "1Gi", "1Ti", "1E", "1Ei"]
    amounts = [amount(text) for text in ordered]
    assert amounts == sorted(amounts)
    assert amount("1e6") == amount("1M")


def test_back_off_that_grows_needs_a_cap() -> None:
    assert Backoff(base=5, factor=1, cap=None).spec() == BackoffSpec(base_seconds=5, factor=1, cap_seconds=5)
    calls = {"no cap": lambda: Backoff(base=1, factor=2, cap=None), "factor below 1": lambda: Backoff(factor=0.5)}
    check_golden("backoffs", {name: unlocated(call, ValueError) for name, call in calls.items()})


def test_accelerators_have_partitions() -> None:
    with pytest.raises(AttributeError, match="partition_1g_5gb"):
        _ = A100.partition_9g_99gb


class V1Toleration:
    """Model in the form of the kubernetes package."""

    openapi_types = {"key": "str", "toleration_seconds": "int"}
    attribute_map = {"key": "key", "toleration_seconds": "tolerationSeconds"}

    def __init__(self, key: str | None = None, toleration_seconds: int | None = None) -> None:
        self.key, self.toleration_seconds = key, toleration_seconds


def test_models_of_the_kubernetes_package() -> None:
    pod = {"tolerations": [V1Toleration("gpu", 30), V1Toleration("spot")], "node_name": None}
    assert kubernetes_json(pod) == {"tolerations": [{"key": "gpu", "tolerationSeconds": 30}, {"key": "spot"}]}
    with pytest.raises(SettingsError):
        kubernetes_json({"a": object()})


def test_docs_take_precedence_over_the_docstring() -> None:
    @task(docs=Documentation(short_description="Short."))
    def documented(x: int) -> int:
        """From the docstring.

        And more.
        """
        return x

    assert documented.docs.short == "Short."
    assert documented.docs.long == "And more."
    with pytest.raises(SettingsError):
        task(docs="text")(documented.function)  # type: ignore[call-overload]


def test_overrides_apply_to_the_settings_of_the_task() -> None:
    @task(retries=1, requests=Resources(cpu="4"), limits=Resources(cpu="8"), cache=Cache(version="1"), environment={"A": "1"})
    def base(x: int) -> int:
        return x

    @workflow
    def wf() -> int:
        first = base(x=1).with_overrides(limits=Resources(cpu="2"))
        second = base(x=first).with_overrides(name="shown").with_overrides(timeout=5, shared_memory=True, accelerator=T4)
        third = base(x=second).with_overrides(cache=False, interruptible=True, container_image="i:2", pool="spot")
        return base(x=third).with_overrides(cache=True, cache_version="2", pod_template=PodTemplate())

    nodes = wf.spec().nodes
    settings = [node.overrides.settings for node in nodes]
    assert all(one is not None and one.environment == {"A": "1"} and one.retries.count == 1 for one in settings)
    first, second, third, fourth = [one for one in settings if one is not None]
    assert (first.resources.requests.cpu, first.resources.limits.cpu) == ("2", "2")
    assert (second.timeout_seconds, second.shared_memory, nodes[1].overrides.name) == (5, True, "shown")
    assert second.accelerator == AcceleratorSpec(device="nvidia-tesla-t4")
    assert (third.cache, third.interruptible, third.container_image, third.pool) == (None, True, "i:2", "spot")
    assert fourth.cache == CacheSpec(version="2")
    assert fourth.pod_template is not None
