"""Rollouts and what is wanted, kept in the status of each ModelEndpoint: no database can be down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from deployments.kubernetes_control import admission, endpoint_resource
from deployments.kubernetes_control.cluster import MODEL_ENDPOINT, Cluster, Resource, name_of
from deployments.kubernetes_control.conditions import Condition
from deployments.kubernetes_control.endpoint_watch import EndpointWatch
from deployments.kubernetes_control.errors import ResourceChanged, ResourceMissing
from deployments.kubernetes_control.event_recorder import EventRecorder
from deployments.kubernetes_control.leadership import Leadership
from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import EndpointChanged, NoRollout, RolloutChanged
from deployments.rollout.rollout_store import Change
from deployments.rollout.state import Rollout

Decided = Callable[[Resource, int, Decision], None]
_log = logging.getLogger("raygate.controller")


class ResourceStore:
    """See RolloutStore. A write takes place only where the resource is still as it was when it was decided on.

    What only the controller that leads may write raises NotLeading from any other.

    Args:
        cluster: The API.
        watch: What it last told.
        leadership: Whether this process acts.
        events: Tells people.
        clock: Time in UTC.
        decided: Told of every decision once it is written, with its resource and its number; must not wait for
            anything.
    """

    def __init__(
        self,
        cluster: Cluster,
        watch: EndpointWatch,
        leadership: Leadership,
        events: EventRecorder,
        clock: Callable[[], datetime],
        decided: Decided = lambda resource, number, decision: None,
    ) -> None:
        self._cluster, self._watch, self._leadership = cluster, watch, leadership
        self._events, self._clock, self._decided = events, clock, decided

    @property
    def is_leading(self) -> bool:
        """Whether this controller acts."""
        return self._leadership.is_held

    def resources(self) -> dict[str, Resource]:
        """Every ModelEndpoint by name, as it was last heard of."""
        return self._watch.resources()

    def endpoints(self) -> dict[str, WantedEndpoint]:
        """See RolloutStore: those that were ever accepted and are not to go."""
        found = {name: endpoint_resource.wanted_of(each) for name, each in self._staying().items()}
        return {name: wanted for name, wanted in found.items() if wanted is not None}

    def rollouts(self) -> dict[str, Rollout]:
        """See RolloutStore."""
        found = {name: endpoint_resource.rollout_of(each) for name, each in self._staying().items()}
        return {name: rollout for name, rollout in found.items() if rollout is not None}

    def last_epoch(self) -> int:
        """See RolloutStore."""
        epochs = [endpoint_resource.epoch_of(resource) for resource in self.resources().values()]
        return max([self._leadership.last_epoch(), *epochs])

    def lead(self, holder: str, now: datetime, lease: timedelta) -> bool:
        """See RolloutStore. A thread of its own holds the lease, so nothing slow here can lose it."""
        return self._leadership.is_held

    def history(self, endpoint: str) -> list[Decision]:
        """See RolloutStore: the latest decisions; those before are in the Events' and the process's log."""
        resource = self._watch.resources().get(endpoint)
        return [] if resource is None else list(endpoint_resource.decisions_of(resource).values())

    def write(self, change: Change) -> Rollout:
        """See RolloutStore."""
        name = change.rollout.endpoint
        if change.leader is not None:
            self._leadership.check()
        resource = self._watch.resources().get(name)
        if resource is None:
            raise NoRollout(name, "known")
        if not change.fits(endpoint_resource.rollout_of(resource), endpoint_resource.wanted_of(resource)):
            raise RolloutChanged(change.rollout.name)
        written = change.rollout.model_copy(update={"revision": change.rollout.revision + 1})
        changed = endpoint_resource.with_rollout(resource, written)
        if change.wanted is not None:
            changed = endpoint_resource.with_wanted(changed, change.wanted)
        try:
            self._replace(changed, change.decision)
        except (ResourceChanged, ResourceMissing) as error:
            raise RolloutChanged(change.rollout.name) from error
        return written

    def accept(self, resource: Resource, wanted: WantedEndpoint, detail: dict[str, object]) -> Resource:
        """Write what is wanted from now on, as a decision.

        Args:
            resource: What it was decided on.
            wanted: The endpoint as it is to be.
            detail: For the history.

        Raises:
            ResourceChanged: Somebody wrote meanwhile.
            ResourceMissing: It is gone.
        """
        self._leadership.check()
        decision = Decision(self._clock(), wanted.document.name, "apply", wanted.policy.policy_epoch, detail)
        changed = endpoint_resource.with_wanted(resource, wanted)
        if not endpoint_resource.wants_notices(resource):  # who is named now is not told of what was before
            changed = endpoint_resource.with_told(changed, endpoint_resource.next_number(resource))
        return self._replace(changed, decision)

    def override(self, before: WantedEndpoint, after: WantedEndpoint, decision: Decision) -> None:
        """Write another split that a person asked for; whoever asks needs not lead.

        Args:
            before: The endpoint that it was decided on.
            after: The endpoint with the other split.
            decision: For the history.

        Raises:
            RolloutRunning: A rollout has begun meanwhile.
            EndpointChanged: Somebody else wrote meanwhile.
        """
        name = decision.endpoint
        resource = self._staying().get(name)
        if resource is None or endpoint_resource.wanted_of(resource) != before:
            raise EndpointChanged(name)
        admission.check_owned(name, endpoint_resource.rollout_of(resource))
        try:
            self._replace(endpoint_resource.with_wanted(resource, after), decision)
        except (ResourceChanged, ResourceMissing) as error:
            raise EndpointChanged(name) from error

    def note_told(self, name: str, number: int) -> None:
        """Write which decision people were told of last.

        Raises:
            ResourceChanged: Somebody wrote meanwhile.
            ResourceMissing: It is gone.
            NotLeading: Another controller tells by now.
        """
        self._leadership.check()
        resource = self._watch.resources().get(name)
        if resource is not None:
            self._replace(endpoint_resource.with_told(resource, number))

    def report(self, resource: Resource, told: Iterable[Condition]) -> Resource:
        """Write how an endpoint is, if that is news, and tell people what became another reason.

        Raises:
            ResourceChanged: Somebody wrote meanwhile.
            ResourceMissing: It is gone.
        """
        conditions = list(told)
        after = endpoint_resource.with_conditions(resource, conditions, self._clock())
        if after["status"] == resource.get("status"):
            return resource
        self._leadership.check()
        written = self._replace(after)
        for condition in conditions:
            known = endpoint_resource.condition_of(resource, condition.type)
            if known.get("reason") != condition.reason:
                self._events.tell(resource, condition.reason, condition.message, condition.holds is False)
        return written

    def hold(self, resource: Resource) -> Resource:
        """Make sure that the controller is asked before the resource goes."""
        if endpoint_resource.is_held(resource):
            return resource
        self._leadership.check()
        return self._learn(self._set_finalizer(resource, held=True))

    def release(self, resource: Resource) -> None:
        """Let a resource go of which nothing is served any more."""
        self._leadership.check()
        name, epoch = resource["metadata"]["name"], endpoint_resource.epoch_of(resource)
        self._leadership.note_epoch(epoch)
        self._set_finalizer(resource, held=False)  # not learnt: the watch tells that it is gone
        gone = Decision(self._clock(), name, "delete", epoch, {})
        self._decided(resource, endpoint_resource.next_number(resource), gone)

    def _staying(self) -> dict[str, Resource]:
        found = self._watch.resources()
        return {name: each for name, each in found.items() if not endpoint_resource.is_deleted(each)}

    def _set_finalizer(self, resource: Resource, *, held: bool) -> Resource:
        name = resource["metadata"]["name"]
        patch = endpoint_resource.finalizer_patch(resource, held=held)
        return self._cluster.merge(MODEL_ENDPOINT, name, patch)

    def _replace(self, resource: Resource, decision: Decision | None = None) -> Resource:
        number = endpoint_resource.next_number(resource)
        if decision is not None:
            resource = endpoint_resource.with_decision(resource, decision)
        try:
            written = self._learn(self._cluster.replace_status(MODEL_ENDPOINT, resource))
        except ResourceChanged:  # the watch may tell of it later than whoever decided looks again
            self._learn(self._cluster.get(MODEL_ENDPOINT, name_of(resource)))
            raise
        if decision is not None:
            _log.info("%s: %s, policy epoch %d", decision.endpoint, decision.action, decision.policy_epoch)
            self._events.tell(written, _reason(decision.action), _told(decision))
            self._decided(written, number, decision)
        return written

    def _learn(self, resource: Resource) -> Resource:
        self._watch.learn(resource)
        return resource


def _reason(action: str) -> str:
    """``rollout rolled back`` as Kubernetes writes reasons: ``RolloutRolledBack``."""
    return "".join(word.capitalize() for word in action.split())


def _told(decision: Decision) -> str:
    weights = decision.detail.get("weights") or {}
    assert isinstance(weights, dict)
    split = " ".join(f"{version}={weight:g}" for version, weight in weights.items())
    told = [str(part) for part in (split, decision.detail.get("reason")) if part]
    return f"epoch {decision.policy_epoch}: {'; '.join(told)}"
