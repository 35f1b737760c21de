"""Links to other log systems from the operator's templates."""

from __future__ import annotations

from pathlib import Path

import pytest

from flytemp.client.logs import LogLink, LogReader
from flytemp.errors import ConfigError
from flytemp.layout import ExecutionLayout
from flytemp.store import open_store
from flytemp_activities.kubernetes.links import log_links_of
from flytemp_activities.kubernetes.policy import read_policy

from .statuses import pod, running
from .test_manifest import invocation


def test_values_in_links_are_quoted() -> None:
    status = pod("Running", containerStatuses=[{**running(at="2026-01-01T00:00:10Z"), "containerID": "containerd://abc"}])
    templates = {"Loki": "https://logs/{namespace}/{pod}?c={container_id}&from={started}&node={node}", "plain": "https://logs"}
    assert log_links_of(templates, status, "primary", invocation()) == {
        "Loki": "https://logs/tasks/p?c=abc&from=2026-01-01T00%3A00%3A10Z&node=n0.n12", "plain": "https://logs",
    }  # fmt: skip


def test_unknown_field_in_a_template_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('[log_links]\nLoki = "https://logs/{pods}"\n')
    with pytest.raises(ConfigError, match=r"\{pods\}"):
        read_policy(file)


def test_links_are_read_from_the_store(tmp_path: Path) -> None:
    store, layout = open_store(str(tmp_path / "store")), ExecutionLayout("default", "ex:p:d:run", "first")
    store.write(layout.log_links("n0", "1", 1), b'{"Loki": "https://logs/1"}')
    store.write(layout.log_links("n0", "2", 1), b'{"Loki": "https://logs/2"}')
    store.write(layout.claim("n1", "1", 1), b"{}")
    assert LogReader(store, layout, None, None).links() == [
        LogLink("n0", 1, 1, "Loki", "https://logs/1"), LogLink("n0", 2, 1, "Loki", "https://logs/2"),
    ]  # fmt: skip
    assert LogReader(store, layout, "n0", 2).links() == [LogLink("n0", 2, 1, "Loki", "https://logs/2")]
    assert LogReader(store, layout, "n1", None).links() == []
