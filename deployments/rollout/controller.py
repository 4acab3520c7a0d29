"""What moves rollouts: decide, write with the evidence, apply. Every line of it may be the last.

A decision is written with the weights that follow from it, in one transaction. Whether those are in force is a
second fact (``settled``), noted after every gateway has taken them over. A controller that dies in between, and
the next one, apply the same policy epoch again, which changes nothing where it was in force already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.rollout_plan import ReplayStep
from deployments.contracts.verdict import Finding, Outcome, Verdict
from deployments.rollout import evidence as evidences
from deployments.rollout import transitions
from deployments.rollout.analysis import replay, verdicts
from deployments.rollout.change import change_of
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import (
    CapacityComing,
    EvidenceUnavailable,
    FiguresWentBack,
    NotLeading,
    RolloutChanged,
)
from deployments.rollout.evidence import Counts, Evidence, Figures, Outcomes
from deployments.rollout.replay_gate import ReplayGate
from deployments.rollout.rollout_store import Change, RolloutStore
from deployments.rollout.state import Rollout, RolloutState

LEASE = timedelta(seconds=15)
CAPACITY_PATIENCE = timedelta(minutes=10)
"""For how long replicas may take to come; a cluster may have to start a node for them."""
RETRY_AFTER = timedelta(seconds=5)
"""Between two attempts to put the end of a rollout in force."""
_log = logging.getLogger("raygate.controller")


class Traffic(Protocol):
    """Whoever makes gateways follow."""

    def apply(self, wanted: Mapping[str, WantedEndpoint], endpoint: str, patient: bool) -> None:
        """Put policies in force, and return when every gateway follows; again is no change.

        Args:
            wanted: All endpoints.
            endpoint: The one whose weights may have changed: its pools with weight must take traffic.
            patient: Whether replicas that the weights need are waited for; if not, those that run must do.

        Raises:
            TrafficNotApplied: They do not.
            CapacityComing: A pool has not the replicas that its weight needs yet; only if patient.
        """
        ...

    def release(self, wanted: WantedEndpoint) -> None:
        """Let an endpoint's pools be as small as its owner wants again; no traffic moves, again is no change.

        Raises:
            RaygateError: The cluster cannot be told, or a package is gone.
        """
        ...

    def replicas(self, version: ModelVersion) -> int:
        """Replicas of a version's pool that run.

        Raises:
            TrafficNotApplied: Nobody can tell.
        """
        ...


@dataclass(frozen=True)
class Surroundings:
    """What a controller touches the world with.

    Attributes:
        store: Rollouts and what is wanted.
        evidence: Whoever counts.
        traffic: Whoever makes gateways follow.
        replays: Lets candidates answer logged requests.
        clock: Time in UTC.
        alone: Held while weights are decided and applied: commands put whole configs too.
    """

    store: RolloutStore
    evidence: Evidence
    traffic: Traffic
    replays: ReplayGate
    clock: Callable[[], datetime]
    alone: Callable[[], AbstractContextManager[None]] = nullcontext


class Controller:
    """Moves every rollout of a store, as long as it leads.

    Args:
        holder: Its name in the lease; another one for every process.
        surroundings: What it works with.
    """

    def __init__(self, holder: str, surroundings: Surroundings) -> None:
        self._holder, self._at = holder, surroundings

    def tick(self) -> bool:
        """Do what is due; False if another controller leads.

        One rollout's trouble does not keep another from moving.
        """
        rollouts = self._at.store.rollouts().values()
        to_attend = [rollout for rollout in rollouts if rollout.is_active or rollout.holds_capacity]
        if to_attend and not self.leads():
            return False
        for rollout in to_attend:
            try:
                self._attend_or_count(rollout)
            except RolloutChanged:
                _log.info("%s was changed by somebody else; looking again", rollout.name)
            except NotLeading:
                return False
            except Exception:
                _log.exception("what went wrong with %s could not be written down", rollout.name)
        return True

    def leads(self) -> bool:
        """Whether this controller is the one that decides; takes the lease where nobody has it."""
        return self._at.store.lead(self._holder, self._at.clock(), LEASE)

    def _attend_or_count(self, rollout: Rollout) -> None:
        """Do what is due; whatever goes wrong counts toward the plan's limit of errors."""
        try:
            self._attend(rollout)
        except (RolloutChanged, NotLeading):
            raise
        except Exception as error:
            if not isinstance(error, RaygateError):
                _log.exception("a look at %s failed unexpectedly", rollout.name)
            latest = self._at.store.rollouts().get(rollout.endpoint)
            if latest is not None and latest.name == rollout.name and (latest.is_active or latest.holds_capacity):
                self._fail(latest, str(error) or type(error).__name__)

    def _attend(self, rollout: Rollout) -> None:
        state, pause = rollout.state, rollout.plan.analysis.interval
        if state.phase.is_final:
            pause = min(pause, RETRY_AFTER)
        if state.checked is not None and self._at.clock() - state.checked < pause:
            return
        if state.settled is None:
            self._put_in_force(rollout)
        elif rollout.holds_capacity:
            self._release(rollout)
        elif state.baseline is None:
            self._take_baseline(rollout)
        else:
            self._judge(rollout)

    def _put_in_force(self, rollout: Rollout) -> None:
        """Apply what was decided, and note that it is in force.

        The end of a rollout waits for replicas no longer than its patience: nothing else could be decided.
        """
        is_in_time = self._at.clock() - rollout.state.decided < CAPACITY_PATIENCE
        patient = is_in_time or not rollout.state.phase.is_final
        try:
            rollout = self._with_capacity(rollout)
            with self._at.alone():
                self._at.traffic.apply(self._at.store.endpoints(), rollout.endpoint, patient)
        except CapacityComing as coming:
            if is_in_time:
                waits = {"trouble": str(coming), "checked": self._at.clock()}
                self._note(rollout, rollout.state.model_copy(update=waits))
                return
            self._fail(rollout, str(coming))
            return
        except (RolloutChanged, NotLeading):
            raise
        except RaygateError as error:
            self._fail(rollout, str(error))
            return
        # The registry is told by owed_aliases: one that is away must delay nobody's traffic.
        champion = ModelVersion(rollout.model, rollout.champion) if rollout.state.moves_alias else None
        self._decide(rollout, transitions.settle(rollout.state, self._at.clock(), champion))

    def _with_capacity(self, rollout: Rollout) -> Rollout:
        """Note what carries the traffic before the candidate gets any: both pools are held to it from then on."""
        if rollout.state.capacity is not None or not rollout.state.weight:
            return rollout
        capacity = self._at.traffic.replicas(ModelVersion(rollout.model, rollout.stable))
        return self._note(rollout, rollout.state.model_copy(update={"capacity": capacity}))

    def _release(self, rollout: Rollout) -> None:
        """Let go of the replicas that the rollout asked for; nobody may begin another one meanwhile."""
        with self._at.alone():
            wanted = self._at.store.endpoints().get(rollout.endpoint)
            if wanted is not None:
                self._at.traffic.release(wanted)
            self._note(rollout, rollout.state.model_copy(update={"released": True}))

    def _fail(self, rollout: Rollout, reason: str) -> None:
        if rollout.state.trouble != reason:
            _log.warning("%s: %s", rollout.name, reason)
        self._decide(rollout, transitions.failed(rollout.state, rollout.plan, reason, self._at.clock()))

    def _take_baseline(self, rollout: Rollout) -> None:
        """Note what had been counted by now; what comes since is judged."""
        try:
            figures = self._at.evidence.figures(rollout.model)
        except EvidenceUnavailable as error:
            self._advance(rollout, verdicts.in_error(str(error)))
            return
        baseline = {"baseline": _plain(rollout, figures.counts), "counted_by": figures.counted_by}
        self._note(rollout, rollout.state.model_copy(update=baseline))

    def _judge(self, rollout: Rollout) -> None:
        try:
            figures = self._at.evidence.figures(rollout.model)
            if figures.counted_by != rollout.state.counted_by:
                self._begin_evidence_anew(rollout, figures)
                return
            answers = self._at.evidence.answers(rollout, self._at.clock())
            window = evidences.window(rollout, figures.counts, self._outcomes(rollout), answers)
        except FiguresWentBack as error:
            if rollout.state.errors:  # not the moment of a restart any more: evidence begins anew
                state = rollout.state.model_copy(update={"baseline": None})
                rollout = rollout.at(state)
            self._advance(rollout, verdicts.in_error(str(error)))
            return
        except EvidenceUnavailable as error:
            self._advance(rollout, verdicts.in_error(str(error)))
            return
        self._advance(rollout, verdicts.judge(rollout.plan.analysis, window, figures.limited))

    def _begin_evidence_anew(self, rollout: Rollout, figures: Figures) -> None:
        """Count from now on by the sums of somebody else; that there are others now is an error by itself."""
        told = f"{figures.counted_by} must tell from now on, not {rollout.state.counted_by}"
        reason = f"{figures.limited}; {told}" if figures.limited else told
        taken = {"baseline": _plain(rollout, figures.counts), "counted_by": figures.counted_by}
        state = rollout.state.model_copy(update=taken)
        self._advance(rollout.at(state), verdicts.in_error(reason))

    def _outcomes(self, rollout: Rollout) -> Mapping[Version, Outcomes] | None:
        """None if nobody can tell: the checks that need it say so."""
        wanted = {"quality", "business-value"} & {check.check for check in rollout.plan.analysis.checks}
        if not wanted or rollout.state.settled is None:
            return None
        try:
            return self._at.evidence.outcomes(rollout, rollout.state.settled)
        except EvidenceUnavailable as error:
            _log.warning("%s: %s", rollout.name, error)
            return None

    def _advance(self, rollout: Rollout, verdict: Verdict) -> None:
        if isinstance(rollout.step, ReplayStep):
            verdict = self._with_replay(rollout, rollout.step, verdict)
        now = self._at.clock()
        self._decide(rollout, transitions.advance(rollout.state, rollout.plan, verdict, now))

    def _with_replay(self, rollout: Rollout, step: ReplayStep, verdict: Verdict) -> Verdict:
        """The replay beside what callers see; before they see anything there is the replay alone."""
        live = verdict.findings if rollout.state.weight else ()
        try:
            replayed = self._at.replays.look(rollout, step)
        except RaygateError as error:
            found = Finding(check=replay.CHECK, outcome=Outcome.ERROR, message=str(error))
        else:
            found = replay.judge(step, replayed, 1 - rollout.plan.analysis.confidence)
        return Verdict(findings=(*live, found))

    def _decide(self, rollout: Rollout, after: RolloutState) -> None:
        """Write what follows, with new weights if it has any, and apply those at once."""
        before = rollout.state
        if (after.phase, after.step, after.weight) == (before.phase, before.step, before.weight):
            self._note(rollout, after)
            return
        with self._at.alone():
            written = self._at.store.write(
                change_of(self._at.store, rollout.at(after), self._at.clock(), leader=self._holder)
            )
        _log.info("%s: %s, weight %g: %s", written.name, after.phase, after.weight, after.reason)
        if after.settled is None:
            self._put_in_force(written)

    def _note(self, rollout: Rollout, state: RolloutState) -> Rollout:
        return self._at.store.write(Change(rollout.at(state), leader=self._holder))


def _plain(rollout: Rollout, counts: Counts) -> dict[str, dict[str, object]]:
    versions = (str(rollout.stable), str(rollout.candidate))
    return {version: counts[version].to_plain() for version in versions if version in counts}
