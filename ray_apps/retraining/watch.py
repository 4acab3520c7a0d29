"""Looks at an endpoint again and again, and moves its retraining on: decide, write down, do.

It may be killed at every line. What is written down and not done yet is done at the next look, and everything that
is done can be done twice: a job is submitted under the name of its run, a canary is begun once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import ModelVersion
from deployments.logs.json_lines import event
from ray_apps.retraining import decision
from ray_apps.retraining.decision import Decision
from ray_apps.retraining.errors import ChampionReplaced, RetrainingRefused
from ray_apps.retraining.journal import AppliedPlan, Journal
from ray_apps.retraining.plan import RetrainingPlan
from ray_apps.retraining.ports import CanaryState, Jobs, JobState, Serving
from ray_apps.retraining.run import (
    RetrainingRun,
    State,
    Trigger,
    TriggerKind,
    awaiting_approval,
    begun,
    under_way,
)

MONITOR = "monitor"
"""Who begins a run that nobody asked for."""
LOST_AFTER = timedelta(minutes=10)
"""A job that its cluster does not know for so long is gone: a cluster forgets its jobs when it restarts."""
LABELS_EVERY = timedelta(minutes=1)
"""Labels of a month are read from the log; where they were too few they are not counted at every look."""
_log = logging.getLogger("raygate.retraining")


class Watch:
    """Retraining of every endpoint that has a plan.

    Args:
        journal: What is remembered.
        jobs: Runs jobs.
        serving: The endpoints.
        clock: Time in UTC.
    """

    def __init__(self, journal: Journal, jobs: Jobs, serving: Serving, clock: Callable[[], datetime]) -> None:
        self._journal, self._jobs, self._serving, self._clock = journal, jobs, serving, clock
        self._counted: dict[str, tuple[datetime, int]] = {}

    def look_at_all(self) -> None:
        """Look at every endpoint; one endpoint's trouble is not the others'."""
        for endpoint in self._journal.plans():
            try:
                self.look(endpoint)
            except RaygateError as error:
                _log.warning("retraining of %s: %s", endpoint, error)
            except Exception:
                _log.exception("retraining of %s failed unexpectedly", endpoint)

    def look(self, endpoint: str) -> Decision:
        """Move on what has begun, and begin what is due.

        Raises:
            NotWatched: The endpoint has no plan.
            RaygateError: Somebody does not answer; the next look goes on.
        """
        applied = self._journal.plan(endpoint)
        self.follow(endpoint)
        stable = self._serving.stable(endpoint)
        self._end_outdated(endpoint, stable)
        evidence = self._serving.evidence(stable)
        windows = self._journal.windows(endpoint)
        now = self._clock()
        if evidence is not None and applied.plan.triggers.drift is not None:
            seen = decision.remembered(windows, evidence, applied.plan.triggers.drift, now)
            if seen != windows:
                self._journal.remember(endpoint, seen)
            windows = seen

        def decide(runs: Sequence[RetrainingRun]) -> Decision:
            return decision.decide(applied.plan, evidence, windows, runs, applied.applied, now)

        decided = self._with_labels(applied, decide(self._journal.runs(endpoint)), now)
        if decided.trigger is None:
            return decided

        def begin(runs: Sequence[RetrainingRun]) -> RetrainingRun | None:
            trigger = decide(runs).trigger  # again: somebody may have begun one meanwhile
            if trigger is None:
                return None
            return begun(endpoint, stable.model, stable.version, trigger, MONITOR, now)

        self._begin(endpoint, begin)
        return decided

    def ask(self, endpoint: str, actor: str) -> RetrainingRun:
        """Begin a run because a person wants it; cooldown and budget do not hold it, and count it.

        Raises:
            NotWatched: The endpoint has no plan.
            RetrainingRefused: A run is under way.
        """
        self._journal.plan(endpoint)
        stable, now = self._serving.stable(endpoint), self._clock()
        trigger = Trigger(kind=TriggerKind.PERSON, text=f"asked for by {actor}")

        def begin(runs: Sequence[RetrainingRun]) -> RetrainingRun | None:
            if run := under_way(runs):
                raise RetrainingRefused(endpoint, f"{run.name} is {run.state}")
            return begun(endpoint, stable.model, stable.version, trigger, actor, now)

        run = self._begin(endpoint, begin)
        assert run is not None, "begin refuses or begins"
        return run

    def approve(self, endpoint: str, actor: str) -> RetrainingRun:
        """Begin the canary of the challenger that waits.

        Raises:
            RetrainingRefused: No run waits for an approval.
        """
        runs = self._journal.runs(endpoint)
        waits = awaiting_approval(runs)
        if waits is None:
            raise RetrainingRefused(endpoint, f"nothing waits for an approval: {_latest(runs)}")
        now = self._clock()
        self._journal.change(waits.name, lambda run: run.after(State.APPROVED, now, f"approved by {actor}"))
        self.follow(endpoint)
        return self._journal.run(waits.name)

    def decline(self, endpoint: str, actor: str) -> RetrainingRun:
        """End the run whose challenger waits, for an approval or with its canary; it holds triggers no more.

        Raises:
            RetrainingRefused: No challenger waits.
        """
        runs = self._journal.runs(endpoint)
        waits = awaiting_approval(runs) or next((run for run in runs if run.state is State.APPROVED), None)
        if waits is None:
            raise RetrainingRefused(endpoint, f"no challenger waits: {_latest(runs)}")
        self._note(waits, State.DECLINED, f"declined by {actor}")
        return self._journal.run(waits.name)

    def _end_outdated(self, endpoint: str, stable: ModelVersion) -> None:
        """A winner that waits while another version becomes stable could never be approved: it holds nothing."""
        for run in self._journal.runs(endpoint):
            if run.state is State.AWAITING_APPROVAL and run.champion != stable.version:
                error = ChampionReplaced(run.name, str(run.champion), str(stable.version))
                self._note(run, State.OUTDATED, str(error))

    def _with_labels(self, applied: AppliedPlan, decided: Decision, now: datetime) -> Decision:
        """Held if too few predictions have a label: the job would find nothing to train from."""
        if decided.trigger is None:
            return decided
        rows = applied.plan.rows
        labelled = self._labelled(applied.plan, now)
        if labelled >= rows.minimum:
            return decided
        told = f"{labelled} predictions have a label, rows.minimum wants {rows.minimum}"
        return Decision(held=f"{decided.trigger.text}; {told}")

    def _labelled(self, plan: RetrainingPlan, now: datetime) -> int:
        """Predictions with a label; too few of them are too few for a while."""
        at, count = self._counted.get(plan.endpoint, (datetime.min.replace(tzinfo=now.tzinfo), 0))
        if count >= plan.rows.minimum or now - at >= LABELS_EVERY:
            count = self._serving.labelled(plan.endpoint, now - plan.rows.window)
            self._counted[plan.endpoint] = (now, count)
        return count

    def _begin(
        self, endpoint: str, begin: Callable[[Sequence[RetrainingRun]], RetrainingRun | None]
    ) -> RetrainingRun | None:
        run = self._journal.begin(endpoint, begin)
        if run is not None:
            told = event("retraining", run=run.name, trigger=run.trigger.kind, numbers=dict(run.trigger.numbers))
            _log.info("%s begins: %s", run.name, run.trigger.text, extra=told)
            self.follow(endpoint)
        return run

    def follow(self, endpoint: str) -> None:
        """Do what is written down and not done yet.

        Raises:
            RaygateError: Somebody does not answer; the next call goes on.
        """
        for run in self._journal.runs(endpoint):
            self._follow_run(run)

    def _follow_run(self, run: RetrainingRun) -> None:
        if run.state is State.DECIDED:
            self._jobs.submit(run)
            self._note(run, State.RUNNING, "Ray has the job")
        elif run.state is State.RUNNING:
            self._follow_job(run)
        elif run.state is State.APPROVED:
            self._begin_canary(run)

    def _follow_job(self, run: RetrainingRun) -> None:
        state, told = self._jobs.state(run)
        if state is JobState.RUNNING:
            return
        if state is JobState.UNKNOWN and self._clock() - run.notes[-1].at < LOST_AFTER:
            return
        # The job wrote its result before it ended; one that is still "running" here has none.
        reason = told or ("its cluster does not know it any more" if state is JobState.UNKNOWN else "no result")
        self._note(run, State.FAILED, f"the job ended without a result: {reason}")

    def _begin_canary(self, run: RetrainingRun) -> None:
        canary = self._serving.begin_canary(run)
        if canary.state is CanaryState.BEGUN:
            self._note(run, State.CANARY, f"rollout {canary.text} has begun")
        elif canary.state is CanaryState.OUTDATED:
            self._note(run, State.OUTDATED, f"no canary: {canary.text}")
        elif canary.state is CanaryState.NOT_POSSIBLE:
            self._note(
                run, State.AWAITING_APPROVAL, f"no canary: {canary.text}; approve again once that has changed"
            )
        else:
            _log.info("%s waits with its canary: %s", run.name, canary.text)

    def _note(self, seen: RetrainingRun, state: State, text: str) -> None:
        """Write down what follows from a state, unless somebody moved the run on since it was read."""
        now = self._clock()
        self._journal.change(
            seen.name, lambda run: run.after(state, now, text) if run.state is seen.state else run
        )
        _log.info("%s: %s", seen.name, text, extra=event("retraining", run=seen.name, state=state))


def _latest(runs: Sequence[RetrainingRun]) -> str:
    return f"{runs[-1].name} is {runs[-1].state}" if runs else "there was no run yet"
