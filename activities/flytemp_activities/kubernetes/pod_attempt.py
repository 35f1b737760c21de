"""One try of a task as a pod, from the creation of the pod to the result.

The pod's name follows from the try, so a second worker finds the pod that another worker created. After a claim no pod is
created. The outcome of a try is stored before its pod is deleted. A committed result counts, whatever happens to the pod.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time

from flytemp.errors import ConfigError, InputError, NotFound, StoreError
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp_activities.backend import Report, SystemFailure, TaskLost
from flytemp_activities.kubernetes import names
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.classify import (
    MESSAGE_CHARACTERS,
    End,
    PodStatus,
    classify,
    disruption_of,
    heartbeat_details,
    start_error,
)
from flytemp_activities.kubernetes.cleanup import FinishedPod, has_running_containers
from flytemp_activities.kubernetes.containers import collects, commit_container, container_of, is_collecting, needs_runtime
from flytemp_activities.kubernetes.context import KubernetesContext, prepare
from flytemp_activities.kubernetes.creation import Creation, NotCreated, NotStarted
from flytemp_activities.kubernetes.manifest import PodManifest
from flytemp_activities.kubernetes.pending_timeouts import PendingTimeouts, PodEvents
from flytemp_activities.kubernetes.pods import Pod
from flytemp_activities.kubernetes.watch import PodSubscription
from flytemp_activities.try_outcomes import TryOutcomes, unwrap
from flytemp_activities.try_reports import TryReports

CLAIM_SECONDS = 3.0
"""Run time after which the worker claims a try whose container has no runtime. Shorter tries are not claimed, to save the
write: if their pod and their worker disappear before a heartbeat, the command runs again."""

UNCLAIMED_END_SECONDS = 10.0
"""Time for which the end of an unclaimed pod is left to the worker that has the activity, to avoid sending requests twice."""

REFRESH_SECONDS = 90.0
"""Time without an event after which the pod is read, in case its watch missed an event."""

logger = logging.getLogger("flytemp.kubernetes")


class PodAttempt:
    """One try as a pod, which may have been created by another worker. ``task`` ends with the outcome of the try.

    ``started`` is done when the try has a pod.

    Args:
        context: shared objects of the worker.
        invocation: the try.
        resumed: True if the try may have been started before.
        seen_uid: uid of the try's pod in an earlier heartbeat.
        early_deadline: starts the try early, before an activity claims it by `subscribe`: the pod is requested once, and not
            after this monotonic time. The attempt ends with `NotStarted` if there is no pod. While the try is unclaimed, its
            pod's end is left to the activity, which may be in another worker, and stopping it records no outcome.
    """

    def __init__(
        self,
        context: KubernetesContext,
        invocation: Invocation,
        resumed: bool = False,
        seen_uid: str | None = None,
        *,
        early_deadline: float | None = None,
    ) -> None:
        self._context = context
        self._outcomes = TryOutcomes(context.store, invocation, context.lookup)
        self._invocation = invocation
        self._manifest: PodManifest
        self._subscription: PodSubscription | None = None
        self._pending = PendingTimeouts(context.policy.pending_timeouts)
        self._kill_reason: str | None = None
        self._killed = asyncio.Event()
        self._reports = TryReports()
        self._running_since: float | None = None
        self._deleting_since: float | None = None
        self._ended_since: float | None = None
        self._early_deadline = early_deadline
        self.has_activity = early_deadline is None
        self._is_claimed = False
        self._events = PodEvents(context.pods)
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[TaskResult] = asyncio.create_task(self._run(resumed, seen_uid))

    # -------------------------------------------------------------------------------- subscribers

    @property
    def has_subscribers(self) -> bool:
        """True while an activity waits for the result."""
        return self._reports.has_subscribers

    def subscribe(self, report: Report) -> None:
        """Claim the try for an activity, which receives the details of the pod now and after every change."""
        self._reports.subscribe(report)
        self.has_activity = True
        self._wake()

    def unsubscribe(self, report: Report) -> None:
        """Remove a subscriber. The try continues."""
        self._reports.unsubscribe(report)

    async def kill(self, reason: str) -> None:
        """Delete the pod with its grace period; return when it is gone.

        `task` then ends with `TaskLost`, or with a result that was committed before.
        """
        self._kill_reason = self._kill_reason or reason
        self._killed.set()
        self._wake()
        await asyncio.wait([self.task])

    def _wake(self) -> None:
        if self._subscription is not None:
            self._subscription.changed.set()

    def detach(self) -> None:
        """Stop following the pod, which continues."""
        self.task.cancel()

    # -------------------------------------------------------------------------------------- start

    async def _run(self, resumed: bool, seen_uid: str | None) -> TaskResult:
        try:
            if resumed and (settled := await self._outcomes.settled()) is not None:
                return settled
            self._manifest = await self._build_manifest()
            self._is_claimed = needs_runtime(self._invocation)  # a runtime claims the try before the user's code runs
            key = (self._manifest.namespace, self._manifest.name)
            self._subscription = subscription = self._context.watch.follow(key)
            try:
                subscription.update(await self._pod(subscription, resumed, seen_uid))
                self.started.set_result(None)
                return self._outcomes.with_lookup(await self._follow(subscription))
            finally:
                self._context.watch.unfollow(key)
        except _Settled as settled:
            return settled.result
        except StoreError as error:
            raise SystemFailure(TaskError.of_platform(error)) from error

    async def _build_manifest(self) -> PodManifest:
        try:
            return await prepare(self._context, self._invocation)
        except NotFound as error:  # the type of the task is not installed here
            raise _Settled(await self._outcomes.fail(TaskError.of_user(error))) from error
        except InputError as error:
            text = f"{error} ({error.hint})" if error.hint else str(error)
            raise _Settled(await self._outcomes.fail(TaskError.of("InvalidPod", text))) from error
        except ConfigError as error:
            raise SystemFailure(TaskError.of_platform(error)) from error
        except ApiError as error:
            raise SystemFailure(TaskError.of("ApiError", f"a pod template could not be read: {error}")) from error

    async def _pod(self, subscription: PodSubscription, resumed: bool, seen_uid: str | None) -> Pod:
        """Return the pod of the try: one that another worker has just created, one that is found, or a new one."""
        if (seen := subscription.pod) is not None and names.is_of(seen, self._invocation):
            return seen
        creation = Creation(self._context.pods, self._manifest, self._invocation, self._killed)
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
            with self._context.creations:
                return await (creation.create(self._on_wait) if deadline is None else creation.create_once())
        except NotCreated as failure:
            if failure.killed:
                raise await self._outcomes.lost(self._kill_reason or "it was stopped") from None
            if failure.error.kind == "USER":
                raise _Settled(await self._outcomes.fail(failure.error)) from failure
            raise SystemFailure(failure.error) from failure

    def _on_wait(self, reason: str, message: str) -> None:
        """Report why the pod cannot be created now; raise `NotCreated` if that takes longer than the policy allows."""
        self._reports.publish(phase="queued", reason=reason, message=message[:MESSAGE_CHARACTERS])
        self._pending.set_reason("quota" if "quota" in reason.lower() else "other", reason, message)
        if reason != "ApiServer" and (error := self._pending.exceeded()) is not None:
            raise NotCreated(error)

    # ------------------------------------------------------------------------------------- follow

    async def _follow(self, subscription: PodSubscription) -> TaskResult:
        """Follow the pod to its end."""
        last_event = time.monotonic()
        while True:
            subscription.changed.clear()
            if (ending := await self._step(subscription)) is not None:
                return ending
            await self._wait(subscription, last_event + REFRESH_SECONDS * random.uniform(0.8, 1.2))
            if subscription.changed.is_set() or subscription.gone:
                last_event = time.monotonic()
            elif time.monotonic() - last_event > REFRESH_SECONDS * 0.8:
                await self._context.cleanup.refresh(subscription, self._finished_pod(subscription))
                last_event = time.monotonic()

    async def _step(self, subscription: PodSubscription) -> TaskResult | None:
        """Act on the current status of the pod; return the result if the try has ended."""
        pod = subscription.pod
        assert pod is not None
        status = self._events.annotate(classify(pod, self._manifest.primary))
        self._report(pod, status)
        if (reason := self._kill_reason) is not None:
            stop = self._stop_claimed if self.has_activity else self._stop_unclaimed
            return await stop(subscription, reason)
        if status.end is not None and not self._is_collecting(pod, status.end) and not self._leaves_end_to_activity(pod, status):
            return await self._on_ended(pod, status.end)
        if subscription.gone:
            return await self._on_deleted(pod, status)
        if status.deleting and self._is_stuck(pod):
            return await self._force_delete(subscription)
        if (error := await self._check_limits(pod, status)) is not None:
            return await self._fail_and_delete(subscription, error)
        return None

    def _report(self, pod: Pod, status: PodStatus) -> None:
        details = heartbeat_details(pod, status, self._manifest.primary)
        notes = {"limited": "; ".join(self._manifest.notes)[:MESSAGE_CHARACTERS]} if self._manifest.notes else {}
        self._reports.publish(**details, **notes)

    async def _wait(self, subscription: PodSubscription, refresh_at: float) -> None:
        """Wait for an event of the pod, or until the next limit."""
        moments = [refresh_at]
        if (check_at := self._pending.next_check()) is not None:
            moments.append(check_at)
        if self._ended_since is not None and not self.has_activity:
            moments.append(self._ended_since + UNCLAIMED_END_SECONDS)
        if self._deleting_since is not None:
            moments.append(self._deleting_since + self._stuck_after(subscription.pod))
        if self._running_since is not None:
            moments += [self._running_since + CLAIM_SECONDS] if not self._is_claimed else []
            if (limit := self._invocation.timeout_seconds) is not None:
                moments.append(self._running_since + limit)
        seconds = max(0.0, min(moments) - time.monotonic()) + 0.01
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await subscription.changed.wait()

    # ------------------------------------------------------------------------------------- limits

    async def _check_limits(self, pod: Pod, status: PodStatus) -> TaskError | None:
        """Return the error of a pod that waits or runs for too long, or that can never start."""
        if status.phase == "running":
            self._pending.set_reason(None)
            return await self._check_running(pod, status)
        self._running_since = None
        if status.wait == "never":
            return start_error(status)
        self._pending.set_reason(status.wait, status.reason, status.message)
        if status.wait == "starting" and self._pending.should_read_events():
            error = await self._events.read(pod)
            self._report(pod, self._events.annotate(status))
            return error
        return start_error(status) if self._pending.exceeded() is not None else None

    async def _check_running(self, pod: Pod, status: PodStatus) -> TaskError | None:
        if self._running_since is None:
            # The clock of the node may differ from this one: a negative run time counts as 0.
            ran = time.time() - status.started_at if status.started_at is not None else 0.0
            self._running_since = time.monotonic() - max(0.0, ran)
            self._context.cleanup.keep_links(pod, self._manifest.primary, self._invocation)
        if not self._is_claimed and time.monotonic() - self._running_since >= CLAIM_SECONDS:
            await self._outcomes.claim(pod["metadata"]["uid"])  # if the pod disappears, no other is created for this try
            self._is_claimed = True
        limit = self._invocation.timeout_seconds
        if limit is not None and time.monotonic() - self._running_since >= limit:
            return TaskError.of("Timeout", f"the task ran longer than its timeout of {limit:g} s and was ended")
        return None

    def _is_stuck(self, pod: Pod) -> bool:
        """Return whether the pod should be gone by now, which means that its node does not answer."""
        self._deleting_since = self._deleting_since or time.monotonic()
        return time.monotonic() - self._deleting_since >= self._stuck_after(pod)

    def _stuck_after(self, pod: Pod | None) -> float:
        grace = ((pod or {}).get("metadata") or {}).get("deletionGracePeriodSeconds") or 0
        return float(grace) + self._context.policy.pending_timeouts.deleting

    # --------------------------------------------------------------------------------------- ends

    async def _on_ended(self, pod: Pod, end: End) -> TaskResult:
        """Settle a try whose primary container has ended: by its result in the store, else by the status of the pod."""
        if end.error is None and container_of(self._invocation.task) is not None:
            result = await asyncio.to_thread(commit_container, self._context.store, self._invocation)
        else:
            result = await self._outcomes.result()
        if result is not None:
            await self._clean_up(pod, failed=result.status == "failed")
            return result
        error = end.error
        if error is None:
            error = TaskError.of("NoResult", "the task's container ended with exit code 0 and left no result")
        outcome = await self._outcomes.record(error)
        await self._clean_up(pod, failed=True)
        return unwrap(outcome)

    def _is_collecting(self, pod: Pod, end: End) -> bool:
        """Return whether the outputs of a successful command are still being collected."""
        return end.error is None and collects(self._invocation) and is_collecting(pod)

    def _leaves_end_to_activity(self, pod: Pod, status: PodStatus) -> bool:
        """Return True if the end of an unclaimed pod is left to another worker. A pod that still uses resources is not left."""
        if self.has_activity:
            return False
        is_being_stopped = status.deleting and self._ended_since is None
        if is_being_stopped:
            return True
        self._ended_since = self._ended_since or time.monotonic()
        is_recent = time.monotonic() - self._ended_since < UNCLAIMED_END_SECONDS
        return is_recent and not has_running_containers(pod, self._manifest.primary)

    async def _on_deleted(self, pod: Pod, status: PodStatus) -> TaskResult:
        settled = await self._outcomes.settled()
        if settled is not None:
            return settled
        if self._ended_since is not None and status.end is not None:  # the pod ended before it was deleted
            return await self._on_ended(pod, status.end)
        lost = TaskError.of("Lost", f"its pod was deleted while it was {status.phase}")
        raise await self._outcomes.fail_system(disruption_of(pod) or lost)

    async def _force_delete(self, subscription: PodSubscription) -> TaskResult:
        """Delete a pod whose node does not answer. If its container still commits a result, that result counts."""
        settled = await self._outcomes.settled()
        if settled is not None:
            return settled
        finished = self._finished_pod(subscription)
        lost = TaskError.of("Lost", "its pod was deleted, and its node does not answer")
        error = await self._outcomes.fail_system(disruption_of(finished.pod) or lost)
        await self._context.cleanup.delete(finished, 0)
        raise error

    async def _fail_and_delete(self, subscription: PodSubscription, error: TaskError) -> TaskResult:
        """Record the error, after which a result of the task does not count; then delete the pod, before another try starts."""
        outcome = await self._outcomes.record(error)
        try:
            await self._context.cleanup.delete_and_wait(subscription, self._finished_pod(subscription))
        except SystemFailure as failure:  # the outcome counts; the janitor deletes the pod
            logger.warning("pod %s of node %s is not deleted: %s", self._manifest.name, self._invocation.node, failure)
        return unwrap(outcome)

    async def _stop_claimed(self, subscription: PodSubscription, reason: str) -> TaskResult:
        """Delete the pod with its grace period, and record that the try was stopped."""
        await self._context.cleanup.delete_and_wait(subscription, self._finished_pod(subscription))
        settled = await self._outcomes.settled()
        if settled is None:
            raise await self._outcomes.lost(reason)
        return settled

    async def _stop_unclaimed(self, subscription: PodSubscription, reason: str) -> TaskResult:
        """Delete the pod of an unclaimed try and record no outcome. A later activity of the try finds its claim, if any."""
        settled = await self._outcomes.settled()
        finished = self._finished_pod(subscription)
        has_ended = classify(finished.pod, self._manifest.primary).end is not None
        if settled is not None and has_ended:
            await self._clean_up(finished.pod, failed=settled.status == "failed")
            return settled
        await self._context.cleanup.delete_and_wait(subscription, finished)
        if settled is None:
            raise TaskLost(reason)
        return settled

    def _finished_pod(self, subscription: PodSubscription) -> FinishedPod:
        assert subscription.pod is not None
        return FinishedPod(self._manifest.namespace, subscription.pod, self._manifest.primary, self._invocation)

    async def _clean_up(self, pod: Pod, *, failed: bool) -> None:
        """Clean up in the background. The output of a failed try is kept before the failure is reported."""
        finished = FinishedPod(self._manifest.namespace, pod, self._manifest.primary, self._invocation)
        kept = failed and await self._context.cleanup.keep_output(finished)
        self._context.cleanup.schedule(finished, failed=failed, kept=kept)


class _Settled(Exception):
    """Carries the result of a try that got no pod."""

    def __init__(self, result: TaskResult) -> None:
        super().__init__("settled without a pod")
        self.result = result
