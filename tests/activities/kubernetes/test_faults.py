"""Faults of the API server and the network: every try has one pod and the right result, and no pod remains."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flytemp.errors import KubernetesUnavailable
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import PodTemplateSpec, TaskSettings
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure, TaskLost, key_of
from flytemp_activities.kubernetes import KubernetesBackend, KubernetesOptions, Policy, api, pod_attempt, watch
from flytemp_activities.kubernetes.names import pod_name
from infra.testcluster import Cluster, KubernetesAccess
from infra.testcluster.audit import entries
from tests.activities.kubernetes.conftest import Bench
from tests.activities.kubernetes.fault_proxy import FOR_EVER, FaultProxy
from tests.activities.kubernetes.test_backend import claims, log_of, pods, until_counted, until_no_pods, until_phase
from tests.sdk.runtime.project import Project

pytestmark = pytest.mark.kubernetes

PROGRAM = """
    import time
    from flytemp import task

    @task
    def add(a: int, b: int) -> int:
        print("adding", a, b)
        return a + b

    @task
    def wait(seconds: float) -> str:
        time.sleep(seconds)
        return "waited"
"""
ONE_AND_TWO = {"a": 1, "b": 2}

AT_ONCE = TaskSettings(pod_template=PodTemplateSpec(spec={"terminationGracePeriodSeconds": 1}))
"""Delay of tasks that are stopped: a program that has not started ignores TERM."""


@pytest.fixture
def program(project: Project) -> Project:
    project.write(PROGRAM)
    return project


@pytest.fixture
async def proxy(cluster: KubernetesAccess) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(cluster.server, cluster.ca_file, cluster.token) as proxy:
        yield proxy


class Site:
    """A cluster behind the proxy, its backends, and checks of the pods."""

    def __init__(self, cluster: KubernetesAccess, proxy: FaultProxy, namespace: str, store: ObjectStore, policy: Policy) -> None:
        self.cluster = cluster
        self.proxy = proxy
        self.namespace = namespace
        self.store = store
        self.policy = policy
        self.benches: list[Bench] = []
        self._began = datetime.now(UTC)

    async def backend(self, kubeconfig: Path, **changes: Any) -> Bench:
        policy = self.policy.model_copy(update=changes)
        backend = KubernetesBackend(self.store, KubernetesOptions("queue", kubeconfig=str(kubeconfig), policy=policy))
        await backend.start()
        self.benches.append(Bench(backend))
        return self.benches[-1]

    async def one_pod(self, invocation: Invocation) -> None:
        """Assert that one pod was created for the try, that its runtime claimed the try, and that the pod is gone."""
        await until_no_pods(self.cluster, self.namespace)
        assert self.proxy.created == {pod_name(invocation): 1}
        assert len(claims(self.store, invocation)) == 1
        if isinstance(self.cluster, Cluster):
            assert await asyncio.to_thread(self._audited) == 1

    def _audited(self) -> int:
        """Return the pods that the API server created in the namespace."""
        assert isinstance(self.cluster, Cluster)
        self.cluster.requests(self._began, "flytemp")  # waits until the log has all that came before
        return sum(
            entry["verb"] == "create" and entry["responseStatus"]["code"] == 201
            for entry in entries(self.cluster.audit_log)
            if (place := entry.get("objectRef") or {}).get("namespace") == self.namespace
            and (place.get("resource"), place.get("subresource")) == ("pods", None)
        )


@pytest.fixture
async def site(
    cluster: KubernetesAccess, proxy: FaultProxy, namespace: str, store: ObjectStore, policy: Policy
) -> AsyncIterator[Site]:
    site = Site(cluster, proxy, namespace, store, policy)
    yield site
    for bench in site.benches:
        await bench.backend.close()


@pytest.fixture
async def bench(site: Site, proxy: FaultProxy, tmp_path: Path) -> Bench:
    """A backend behind the proxy with an open watch."""
    bench = await site.backend(proxy.write_kubeconfig(tmp_path / "kubeconfig"))
    await proxy.watching.wait()
    return bench


# ------------------------------------------------------------------------------------------ start


async def test_starting_worker_waits_for_the_api_server(site: Site, proxy: FaultProxy, tmp_path: Path) -> None:
    away = proxy.refuse("other", 503, times=2)
    await site.backend(proxy.write_kubeconfig(tmp_path / "kubeconfig"))
    assert away.times == 0


async def test_worker_with_refused_credentials_fails_at_once(site: Site, proxy: FaultProxy, tmp_path: Path) -> None:
    refused = proxy.refuse("other", 401, times=2)
    with pytest.raises(KubernetesUnavailable, match="401"):
        await site.backend(proxy.write_kubeconfig(tmp_path / "kubeconfig"))
    assert refused.times == 1


# --------------------------------------------------------------------------------------- creation


@pytest.mark.parametrize(("status", "retry_after"), [(429, 1), (500, None), (503, None)])
async def test_creation_is_repeated_after_transient_errors(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project, status: int, retry_after: int | None
) -> None:
    proxy.refuse("create", status, times=2, retry_after=retry_after)
    invocation = program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    assert (await bench.reported(phase="queued", reason="ApiServer"))["message"] == "refused by the test"
    assert proxy.seen["create"] == 3
    await site.one_pod(invocation)


async def test_creation_with_a_lost_response_makes_one_pod(site: Site, bench: Bench, proxy: FaultProxy, program: Project) -> None:
    lost = proxy.lose_answer("create")
    invocation = program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    assert lost.met.is_set()
    await site.one_pod(invocation)


async def test_creation_with_a_late_response_makes_one_pod(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "REQUEST_SECONDS", 1.0)
    proxy.hold_answer("create")
    invocation = program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await site.one_pod(invocation)


async def test_responses_that_are_not_json_are_transient_errors(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project
) -> None:
    garbled = [proxy.garble(kind) for kind in ("create", "get", "list", "delete")]
    invocation = program.invocation("add", ONE_AND_TWO)
    await proxy.expire_watches()
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await site.one_pod(invocation)
    assert all(fault.met.is_set() for fault in garbled)


async def test_quota_does_not_hide_a_pod_whose_creation_had_no_response(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    # With its pod the quota is full: a second POST would be told so, and not that the name is taken.
    cluster.kubectl("create", "quota", "one", "--hard=pods=1", "-n", namespace)
    await until_counted(cluster, namespace)
    proxy.lose_answer("create")
    invocation = program.invocation("wait", {"seconds": 2.0})
    running = bench.start(invocation)
    await bench.reported(phase="running")
    assert (await running).outputs == {"o0": "waited"}
    assert not [report for report in bench.reports if report.get("reason") == "QuotaExceeded"]
    await site.one_pod(invocation)


async def test_try_stopped_during_an_ambiguous_creation_leaves_no_pod(
    bench: Bench, proxy: FaultProxy, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    proxy.lose_answer("create")
    unknown = proxy.refuse("get", 503, times=FOR_EVER)
    invocation = program.invocation("wait", {"seconds": 60.0}, settings=AT_ONCE)
    running = bench.start(invocation)
    await unknown.met.wait()
    assert [pod["metadata"]["name"] for pod in pods(cluster, namespace)] == [pod_name(invocation)]
    stopping = asyncio.create_task(bench.backend.kill(key_of(invocation)))
    unknown.end()
    await stopping
    with pytest.raises(TaskLost, match="on request"):
        await running
    await until_no_pods(cluster, namespace)


async def test_request_without_a_response_times_out(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "REQUEST_SECONDS", 1.0)
    proxy.swallow("create")
    invocation = program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await site.one_pod(invocation)


async def test_slow_response_does_not_delay_other_tries(site: Site, bench: Bench, proxy: FaultProxy, program: Project) -> None:
    slow = proxy.hold("create")
    first = bench.start(program.invocation("add", ONE_AND_TWO))
    await slow.met.wait()
    assert (await bench.run(program.invocation("add", {"a": 3, "b": 4}, node="n1"))).outputs == {"o0": 7}
    assert not first.done()
    slow.end()
    assert (await first).outputs == {"o0": 3}
    await until_no_pods(site.cluster, site.namespace)
    assert list(proxy.created.values()) == [1, 1]


async def test_later_worker_repeats_its_request_for_the_pod(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project, tmp_path: Path
) -> None:
    invocation = program.invocation("wait", {"seconds": 4.0})
    detached = bench.start(invocation)
    await bench.reported(uid=bool)
    await bench.backend.close()
    await asyncio.gather(detached, return_exceptions=True)
    proxy.refuse("get", 500, times=2)
    proxy.refuse("list", 503, times=2)
    later = await site.backend(tmp_path / "kubeconfig")
    assert (await later.run(invocation, resumed=True)).outputs == {"o0": "waited"}
    await site.one_pod(invocation)


# ----------------------------------------------------------------------------------------- the end


@pytest.mark.parametrize(("kind", "status"), [("delete", 500), ("delete", 429), ("log", 503)])
async def test_pod_is_deleted_after_transient_errors(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project, kind: str, status: int
) -> None:
    refused = proxy.refuse(kind, status, times=2)
    invocation = program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await refused.met.wait()
    await site.one_pod(invocation)
    assert log_of(site.store, invocation) == "adding 1 2\n"


async def test_deletion_with_a_lost_response_is_repeated(site: Site, bench: Bench, proxy: FaultProxy, program: Project) -> None:
    proxy.lose_answer("delete")
    invocation = program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await site.one_pod(invocation)


@pytest.mark.parametrize("status", [500, 429])
async def test_task_is_stopped_after_transient_errors(
    bench: Bench, proxy: FaultProxy, program: Project, cluster: KubernetesAccess, namespace: str, status: int
) -> None:
    proxy.refuse("delete", status, times=2)
    invocation = program.invocation("wait", {"seconds": 60.0}, settings=AT_ONCE)
    running = bench.start(invocation)
    await bench.reported(phase="running")
    await bench.backend.kill(key_of(invocation))
    with pytest.raises(TaskLost, match="on request"):
        await running
    assert pods(cluster, namespace) == []


# ----------------------------------------------------------------------------------------- watches


async def test_results_arrive_although_watches_break_off(site: Site, bench: Bench, proxy: FaultProxy, program: Project) -> None:
    invocation = program.invocation("wait", {"seconds": 2.0})
    running = bench.start(invocation)
    before = proxy.opened
    for number in range(1, 4):
        proxy.cut_watches()
        await _until(lambda number=number: proxy.opened >= before + number)  # one that is only asked for cannot be cut
    assert (await running).outputs == {"o0": "waited"}
    await site.one_pod(invocation)


async def test_watch_cut_within_a_line_is_restarted(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project
) -> None:
    proxy.cut_in_line('"terminated"')  # the pod's end, of which only half arrives
    invocation = program.invocation("add", ONE_AND_TWO)
    before = proxy.seen["watch"]
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    assert proxy.seen["watch"] > before
    await site.one_pod(invocation)


async def test_missed_end_is_found_by_a_new_list(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project
) -> None:
    invocation = program.invocation("add", ONE_AND_TWO)
    deaf = proxy.refuse("watch", 503, times=FOR_EVER)
    proxy.cut_watches()
    running = bench.start(invocation)
    await deaf.met.wait()
    await until_phase(site.cluster, site.namespace, "Succeeded")
    assert not running.done()
    await _expire(proxy, deaf)
    assert (await running).outputs == {"o0": 3}
    await site.one_pod(invocation)


async def test_missed_deletion_is_found_by_a_new_list(
    bench: Bench, proxy: FaultProxy, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    invocation = program.invocation("wait", {"seconds": 60.0}, settings=AT_ONCE)
    running = bench.start(invocation)
    await bench.reported(phase="running")
    deaf = proxy.refuse("watch", 503, times=FOR_EVER)
    proxy.cut_watches()
    await deaf.met.wait()
    cluster.kubectl("delete", "pod", "-n", namespace, pod_name(invocation), "--grace-period=0", "--force")
    assert pods(cluster, namespace) == []
    await _expire(proxy, deaf)
    with pytest.raises(TaskLost, match="deleted"):
        await running
    assert proxy.created == {pod_name(invocation): 1}


async def test_expired_watch_is_followed_by_a_new_list(site: Site, bench: Bench, proxy: FaultProxy, program: Project) -> None:
    invocation = program.invocation("wait", {"seconds": 2.0})
    running = bench.start(invocation)
    await bench.reported(phase="running")
    lists = proxy.seen["list"]
    await proxy.expire_watches()
    await _until(lambda: proxy.seen["list"] > lists)
    assert (await running).outputs == {"o0": "waited"}
    await site.one_pod(invocation)


async def test_end_is_found_although_the_watch_is_silent(
    site: Site, bench: Bench, proxy: FaultProxy, program: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_attempt, "REFRESH_SECONDS", 1.0)
    proxy.mute_watches()
    invocation = program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    assert proxy.seen["get"] > 0
    await site.one_pod(invocation)


async def test_deletion_is_found_although_the_watch_is_silent(
    bench: Bench, proxy: FaultProxy, program: Project, cluster: KubernetesAccess, namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(pod_attempt, "REFRESH_SECONDS", 1.0)
    invocation = program.invocation("wait", {"seconds": 60.0}, settings=AT_ONCE)
    running = bench.start(invocation)
    await bench.reported(phase="running")
    proxy.mute_watches()
    cluster.kubectl("delete", "pod", "-n", namespace, pod_name(invocation), "--grace-period=0", "--force")
    with pytest.raises(TaskLost, match="deleted"):
        await running


async def test_dead_connection_of_a_watch_is_closed(
    site: Site, proxy: FaultProxy, program: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 1.0)
    hole = proxy.swallow("watch")
    bench = await site.backend(proxy.write_kubeconfig(tmp_path / "kubeconfig"))
    await hole.met.wait()
    invocation = program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    assert proxy.seen["watch"] > 1
    await site.one_pod(invocation)


async def test_refused_watch_is_retried_with_backoff(
    bench: Bench, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flytemp.kubernetes")
    proxy.cut_watches()
    refused = proxy.refuse("watch", 503, times=4)
    await _until(lambda: refused.times == 0)
    await _until(lambda: len(_pauses(caplog)) >= 4)
    pauses = _pauses(caplog)[-4:]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 4 * pauses[0] > 0


def _pauses(caplog: pytest.LogCaptureFixture) -> list[float]:
    found = (re.search(r"503 .*it continues in ([0-9.]+) s", record.getMessage()) for record in caplog.records)
    return [float(match[1]) for match in found if match is not None]


# ------------------------------------------------------------------------------------------ rights

ALL_RIGHTS = {"pods": ["create", "get", "list", "watch", "delete"], "pods/log": ["get"], "events": ["list"]}


async def _with_rights(site: Site, without: str = "") -> Bench:
    """Start a backend of a user with all rights except one, given as ``verb resource``."""
    cluster = site.cluster
    if not isinstance(cluster, Cluster):
        pytest.skip("needs a user without rights, which the test cluster has")
    verb, _, lacking = without.partition(" ")
    rules: list[dict[str, object]] = [
        {"apiGroups": [""], "resources": [resource], "verbs": left}
        for resource, verbs in ALL_RIGHTS.items()
        if (left := [one for one in verbs if (one, resource) != (verb, lacking)])
    ]
    cluster.grant(site.namespace, "flytemp-worker", rules)
    return await site.backend(cluster.worker_kubeconfig)


async def test_tasks_run_with_the_minimal_rights(site: Site, program: Project) -> None:
    bench, invocation = await _with_rights(site), program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await until_no_pods(site.cluster, site.namespace)
    assert log_of(site.store, invocation) == "adding 1 2\n"


@pytest.mark.parametrize(("right", "resumed"), [("create pods", False), ("get pods", True)])
async def test_missing_right_is_named(site: Site, program: Project, right: str, resumed: bool) -> None:
    bench = await _with_rights(site, without=right)
    with pytest.raises(SystemFailure) as raised:
        await bench.run(program.invocation("add", ONE_AND_TWO), resumed=resumed)
    assert (raised.value.error.kind, raised.value.error.code) == ("SYSTEM", "ApiError")
    verb, _, resource = right.partition(" ")
    assert f'User "flytemp-worker" cannot {verb} resource "{resource}"' in raised.value.error.message
    assert pods(site.cluster, site.namespace) == []


async def test_missing_right_to_delete_pods_is_reported(site: Site, program: Project) -> None:
    bench = await _with_rights(site, without="delete pods")
    invocation = program.invocation("wait", {"seconds": 60.0}, settings=AT_ONCE)
    running = bench.start(invocation)
    await bench.reported(phase="running")
    await bench.backend.kill(key_of(invocation))
    with pytest.raises(SystemFailure, match='cannot delete resource "pods"'):
        await running


async def test_task_succeeds_without_the_right_to_read_logs(site: Site, program: Project) -> None:
    bench, invocation = await _with_rights(site, without="get pods/log"), program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await until_no_pods(site.cluster, site.namespace)


async def test_task_succeeds_without_the_right_to_watch_pods(
    site: Site, program: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_attempt, "REFRESH_SECONDS", 1.0)
    bench, invocation = await _with_rights(site, without="watch pods"), program.invocation("add", ONE_AND_TWO)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await until_no_pods(site.cluster, site.namespace)


# ----------------------------------------------------------------------------------------- helpers


async def _until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def _expire(proxy: FaultProxy, deaf: Any) -> None:
    """End the silence of watches, and refuse the next one with an expired version."""
    expired = proxy.refuse("watch", 410, reason="Expired")
    deaf.end()
    await expired.met.wait()
