"""One try of a task as a pod, from its creation to its result, whoever waits for it.

The protocol (design: the pod protocol): the pod's name follows from the try, so a second worker finds the pod that a first
one created; nothing is created after a claim; what the try left in the store is said before the pod is deleted; a committed
result wins over whatever became of the pod.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time

from flytemp.errors import ConfigError, InputError, StoreError
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp_activities.backend import Report, SystemFailure, TaskLost
from flytemp_activities.kubernetes import names
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.classify import End, PodStatus, classify, disruption_of, start_error
from flytemp_activities.kubernetes.cleanup import FinishedPod, has_running_containers
from flytemp_activities.kubernetes.containers import collects, commit_container, container_of, is_collecting, needs_runtime
from flytemp_activities.kubernetes.context import KubernetesContext, prepare
from flytemp_activities.kubernetes.creation import Creation, NotCreated, NotStarted
from flytemp_activities.kubernetes.deletion import delete, delete_and_wait, look_again
from flytemp_activities.kubernetes.manifest import Built
from flytemp_activities.kubernetes.pending_timeouts import PendingTimeouts, PodEvents
from flytemp_activities.kubernetes.pods import Pod
from flytemp_activities.kubernetes.reports import MOST_MESSAGE, Reports, state_of
from flytemp_activities.kubernetes.watch import PodSubscription
from flytemp_activities.try_outcomes import TryOutcomes, unwrap

CLAIM_SECONDS = 3.0
"""A container without a runtime that runs for so long is claimed by its worker. Shorter ones are spared the write: when their pod
vanishes, and the worker too before any heartbeat told of it, the command runs again."""

LEFT_SECONDS = 10.0
"""The end of an unclaimed pod is left for so long to the worker that has the activity, to not send the same requests twice."""

LOOK_SECONDS = 90.0
"""A pod of which nothing was heard for so long is looked at, in case its watch missed something."""

logger = logging.getLogger("flytemp.kubernetes")


class PodAttempt:
    """Runs one try, or takes it up where another worker left it. ``task`` ends with what became of it.

    ``begun`` is done when the try has a pod.

    Args:
        early_deadline: starts the try early, before an activity claims it by `subscribe`: the pod is requested once, and not
            after this monotonic time. The attempt ends with `NotStarted` if there is no pod. While the try is unclaimed, its
            pod's end is left to the activity, which may be in another worker, and stopping it records no outcome.
    """

    def __init__(
        self,
        yard: KubernetesContext,
        invocation: Invocation,
        resumed: bool = False,
        seen_uid: str | None = None,
        *,
        early_deadline: float | None = None,
    ) -> None:
        self._yard = yard
        self._outcomes = TryOutcomes(yard.store, invocation, yard.lookup)
        self._invocation = invocation
        self._built: Built
        self._feed: PodSubscription | None = None
        self._patience = PendingTimeouts(yard.policy.waits)
        self._kill_reason: str | None = None
        self._killed = asyncio.Event()
        self._reports = Reports()
        self._running_since: float | None = None
        self._deleting_since: float | None = None
        self._ended_since: float | None = None
        self._early_deadline = early_deadline
        self.has_activity = early_deadline is None
        self._is_claimed = needs_runtime(invocation)  # in time: the runtime does it before the user's code runs
        self._events = PodEvents(yard.pods)
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[TaskResult] = asyncio.create_task(self._run(resumed, seen_uid))

    # ----------------------------------------------------------------------------------- who waits

    @property
    def is_joined(self) -> bool:
        """Somebody waits for its result now."""
        return bool(self._reports)

    def subscribe(self, report: Report) -> None:
        """Tell ``report`` the state now, and at every change."""
        self._reports.add(report)
        self.has_activity = True
        self._wake()

    def unsubscribe(self, report: Report) -> None:
        self._reports.remove(report)

    async def kill(self, reason: str) -> None:
        """Delete the pod, with grace; returns when it is gone. `task` then ends with `TaskLost`, or with a result that was
        committed before."""
        self._kill_reason = self._kill_reason or reason
        self._killed.set()
        self._wake()
        await asyncio.wait([self.task])

    def _wake(self) -> None:
        if self._feed is not None:
            self._feed.changed.set()

    def detach(self) -> None:
        """This worker looks after it no more; the pod goes on."""
        self.task.cancel()

    # ---------------------------------------------------------------------------------- the course

    async def _run(self, resumed: bool, seen_uid: str | None) -> TaskResult:
        try:
            if resumed and (settled := await self._outcomes.settled()) is not None:
                return settled
            self._built = await self._prepared()
            key = (self._built.namespace, self._built.name)
            self._feed = self._yard.watch.follow(key)
            try:
                pod = await self._pod(resumed, seen_uid)
                self.begun.set_result(None)
                return self._outcomes.with_lookup(await self._live(pod))
            finally:
                self._yard.watch.forget(key)
        except _Settled as settled:
            return settled.result
        except StoreError as error:
            raise SystemFailure(TaskError.of_platform(error)) from error

    async def _prepared(self) -> Built:
        try:
            return await prepare(self._yard, self._invocation)
        except InputError as error:
            text = f"{error} ({error.hint})" if error.hint else str(error)
            raise _Settled(await self._outcomes.fail(TaskError.of("InvalidPod", text))) from error
        except ConfigError as error:
            raise SystemFailure(TaskError.of_platform(error)) from error
        except ApiError as error:
            raise SystemFailure(TaskError.of("ApiError", f"a pod template could not be read: {error}")) from error

    async def _pod(self, resumed: bool, seen_uid: str | None) -> Pod:
        """The try's pod: seen as another worker created it, found, or created."""
        assert self._feed is not None
        if (seen := self._feed.pod) is not None and names.is_of(seen, self._invocation):
            return seen
        creation = Creation(self._yard.pods, self._built, self._invocation, self._killed)
        try:
            if resumed:
                found = await creation.find(self._on_wait)
                if found is not None:
                    return found
                if seen_uid is not None or await self._outcomes.read_claim() is not None:
                    raise await self._outcomes.lost("its pod is gone")
            if (result := await self._outcomes.look_up()) is not None:
                raise _Settled(result)
            deadline = self._early_deadline
            if deadline is not None and not self.has_activity and time.monotonic() > deadline:
                raise NotStarted("the pod could not be requested in time")
            with self._yard.creations:
                return await (creation.create(self._on_wait) if deadline is None else creation.create_once())
        except NotCreated as failure:
            if failure.killed:
                raise await self._outcomes.lost(self._kill_reason or "it was stopped") from None
            if failure.error.kind == "USER":
                raise _Settled(await self._outcomes.fail(failure.error)) from failure
            raise SystemFailure(failure.error) from failure

    def _on_wait(self, reason: str, message: str) -> None:
        """The pod cannot be created just now."""
        self._reports.tell(phase="queued", reason=reason, message=message[:MOST_MESSAGE])
        self._patience.note("quota" if "quota" in reason.lower() else "other", reason, message)
        if reason != "ApiServer" and (error := self._patience.exceeded()) is not None:
            raise NotCreated(error)

    async def _live(self, pod: Pod) -> TaskResult:
        """Follow the pod until it has ended, one way or another."""
        feed = self._feed
        assert feed is not None
        feed.see(pod)
        heard = time.monotonic()
        while True:
            feed.changed.clear()
            assert feed.pod is not None
            sight = self._events.annotate(classify(feed.pod, self._built.primary))
            self._report(feed.pod, sight)
            if (reason := self._kill_reason) is not None:
                return await (self._stop(feed, reason) if self.has_activity else self._abandon(feed, reason))
            if sight.end is not None and not self._is_collecting(feed.pod, sight.end) and not self._leaves_end(feed.pod, sight):
                return await self._ended(feed.pod, sight.end)
            if feed.gone:
                return await self._vanished(feed.pod, sight)
            if sight.deleting and self._is_stuck(feed.pod):
                return await self._forsake(feed)
            if (error := await self._overdue(feed.pod, sight)) is not None:
                return await self._give_up(feed, error)
            await self._wait(feed, sight, heard + LOOK_SECONDS * random.uniform(0.8, 1.2))
            if feed.changed.is_set() or feed.gone:
                heard = time.monotonic()
            elif time.monotonic() - heard > LOOK_SECONDS * 0.8:
                await look_again(self._yard, feed, self._over(feed))
                heard = time.monotonic()

    def _report(self, pod: Pod, sight: PodStatus) -> None:
        self._reports.tell(**state_of(self._built, pod, sight))

    async def _wait(self, feed: PodSubscription, sight: PodStatus, look_at: float) -> None:
        """Until something happens, or the next moment at which something would be overdue."""
        moments = [look_at]
        if (patient := self._patience.until()) is not None:
            moments.append(patient)
        if self._ended_since is not None and not self.has_activity:
            moments.append(self._ended_since + LEFT_SECONDS)
        if self._deleting_since is not None:
            moments.append(self._deleting_since + self._stuck_after(feed.pod))
        if sight.phase == "running" and self._running_since is not None:
            moments += [self._running_since + CLAIM_SECONDS] if not self._is_claimed else []
            if (limit := self._invocation.timeout_seconds) is not None:
                moments.append(self._running_since + limit)
        seconds = max(0.0, min(moments) - time.monotonic()) + 0.01
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await feed.changed.wait()

    # -------------------------------------------------------------------------------------- limits

    async def _overdue(self, pod: Pod, sight: PodStatus) -> TaskError | None:
        """Why the try is given up: it waits or runs for too long, or waits for what will never be."""
        if sight.phase == "running":
            self._patience.note(None)
            if self._running_since is None:
                self._running_since = time.monotonic() - self._already_ran(sight)
                self._yard.tidying.keep_links(pod, self._built.primary, self._invocation)
            await self._claim(pod)
            limit = self._invocation.timeout_seconds
            if limit is not None and time.monotonic() - self._running_since >= limit:
                return TaskError.of("Timeout", f"the task ran longer than its timeout of {limit:g} s and was ended")
            return None
        if sight.wait == "never":
            return start_error(sight)
        self._patience.note(sight.wait, sight.reason, sight.message)
        if sight.wait == "starting" and self._patience.should_read_events():
            error = await self._events.read(pod)
            self._report(pod, self._events.annotate(sight))
            return error
        return start_error(sight) if self._patience.exceeded() is not None else None

    async def _claim(self, pod: Pod) -> None:
        """Claim the try for a container in which no runtime does: should its pod vanish, nobody makes another for this try."""
        if self._is_claimed or time.monotonic() - (self._running_since or 0) < CLAIM_SECONDS:
            return
        await self._outcomes.claim(pod["metadata"]["uid"])
        self._is_claimed = True

    def _is_stuck(self, pod: Pod) -> bool:
        """It is being deleted, and its node does not do it: it is lost, as far as anybody can tell."""
        self._deleting_since = self._deleting_since or time.monotonic()
        return time.monotonic() - self._deleting_since >= self._stuck_after(pod)

    def _stuck_after(self, pod: Pod | None) -> float:
        grace = ((pod or {}).get("metadata") or {}).get("deletionGracePeriodSeconds") or 0
        return float(grace) + self._yard.policy.waits.deleting

    async def _forsake(self, feed: PodSubscription) -> TaskResult:
        """Remove the pod by force: its node's word may never come. Should its container still commit, that result stands."""
        assert feed.pod is not None
        settled = await self._outcomes.settled()
        if settled is not None:
            return settled
        lost = TaskError.of("Lost", "its pod was deleted, and its node does not answer")
        error = await self._outcomes.fail_system(disruption_of(feed.pod) or lost)
        await delete(self._yard, self._over(feed), 0)
        raise error

    def _over(self, feed: PodSubscription) -> FinishedPod:
        assert feed.pod is not None
        return FinishedPod(self._built.namespace, feed.pod, self._built.primary, self._invocation)

    def _already_ran(self, sight: PodStatus) -> float:
        """Seconds that it ran before this worker saw it. Clocks differ: never less than nothing."""
        return max(0.0, time.time() - sight.started_at) if sight.started_at is not None else 0.0

    # ---------------------------------------------------------------------------------------- ends

    async def _ended(self, pod: Pod, end: End) -> TaskResult:
        """The primary container is over. First what it left, then what its status says."""
        if end.error is None and container_of(self._invocation.task) is not None:
            result = await asyncio.to_thread(commit_container, self._yard.store, self._invocation)
        else:
            result = await self._outcomes.result()
        if result is not None:
            await self._tidy(pod, failed=result.status == "failed")
            return result
        error = end.error
        if error is None:
            error = TaskError.of("NoResult", "the task's container ended with exit code 0 and left no result")
        outcome = await self._outcomes.record(error)
        await self._tidy(pod, failed=True)
        return unwrap(outcome)

    def _is_collecting(self, pod: Pod, end: End) -> bool:
        """The task's container did well, and its outputs are still being taken away."""
        return end.error is None and collects(self._invocation) and is_collecting(pod)

    def _leaves_end(self, pod: Pod, sight: PodStatus) -> bool:
        """Return True if the end of an unclaimed pod is left to another worker. A pod that still uses resources is not left."""
        if self.has_activity:
            return False
        is_being_stopped = sight.deleting and self._ended_since is None
        if is_being_stopped:
            return True
        self._ended_since = self._ended_since or time.monotonic()
        return time.monotonic() - self._ended_since < LEFT_SECONDS and not has_running_containers(pod, self._built.primary)

    async def _vanished(self, pod: Pod, sight: PodStatus) -> TaskResult:
        settled = await self._outcomes.settled()
        if settled is not None:
            return settled
        if self._ended_since is not None and sight.end is not None:  # by itself, before it was deleted
            return await self._ended(pod, sight.end)
        lost = TaskError.of("Lost", f"its pod was deleted while it was {sight.phase}")
        raise await self._outcomes.fail_system(disruption_of(pod) or lost)

    async def _give_up(self, feed: PodSubscription, error: TaskError) -> TaskResult:
        """The verdict first, so that nothing the task still does counts; then the pod goes, before another try has one."""
        verdict = await self._outcomes.record(error)
        try:
            await delete_and_wait(self._yard, feed, self._over(feed))
        except SystemFailure as failure:  # the verdict stands; the janitor sees to the pod
            logger.warning("pod %s of node %s stays: %s", self._built.name, self._invocation.node, failure)
        return unwrap(verdict)

    async def _stop(self, feed: PodSubscription, reason: str) -> TaskResult:
        """Delete the pod with its grace, and wait until it is gone."""
        await delete_and_wait(self._yard, feed, self._over(feed))
        settled = await self._outcomes.settled()
        if settled is None:
            raise await self._outcomes.lost(reason)
        return settled

    async def _abandon(self, feed: PodSubscription, reason: str) -> TaskResult:
        """Delete the pod of an unclaimed try and record no outcome. A later activity of the try finds its claim, if any."""
        assert feed.pod is not None
        settled = await self._outcomes.settled()
        has_ended = classify(feed.pod, self._built.primary).end is not None  # perhaps meanwhile
        if settled is not None and has_ended:
            await self._tidy(feed.pod, failed=settled.status == "failed")
            return settled
        await delete_and_wait(self._yard, feed, self._over(feed))
        if settled is None:
            raise TaskLost(reason)
        return settled

    async def _tidy(self, pod: Pod, *, failed: bool) -> None:
        """Whoever hears of a failure looks at the output at once, so that is kept before it is told."""
        over = FinishedPod(self._built.namespace, pod, self._built.primary, self._invocation)
        kept = failed and await self._yard.tidying.keep_output(over)
        self._yard.tidying.after(over, failed=failed, kept=kept)


class _Settled(Exception):
    """Carries a result that was committed where no pod could be."""

    def __init__(self, result: TaskResult) -> None:
        super().__init__("settled without a pod")
        self.result = result
