"""Whether a model is to be trained anew, from what monitoring says of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from deployments.contracts import duration
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Frozen
from ray_apps.retraining.plan import DriftTrigger, QualityTrigger, RetrainingPlan
from ray_apps.retraining.run import RetrainingRun, Trigger, TriggerKind, awaiting_approval, under_way
from training.metric_name import lower_is_better

NAMED_FEATURES = 5
"""Of those that drifted a trigger names the worst."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric on labels, with its interval of 95 % and the package's figure on its test rows."""

    value: float
    lower: float
    upper: float
    baseline: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the monitor says of an endpoint's stable version now.

    Attributes:
        version: Which one that is.
        judged: Features with enough rows to be judged.
        critical: Of these the ones whose drift is critical.
        psi: Population stability index by feature, the worst ones.
        labelled: Its predictions with a label.
        quality: By metric.
    """

    version: Version
    judged: int = 0
    critical: int = 0
    psi: Mapping[str, float] = field(default_factory=dict)
    labelled: int = 0
    quality: Mapping[str, Measured] = field(default_factory=dict)


class DriftWindow(Frozen):
    """What was said of one window.

    Attributes:
        at: When.
        version: Of which version.
        critical: Features whose drift was critical.
        psi: Of the worst ones.
    """

    at: datetime
    version: Version
    critical: int
    psi: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows.

    Attributes:
        trigger: Begin a run, for this reason; None: do not.
        held: Why a trigger that is met begins nothing; empty where none is met.
    """

    trigger: Trigger | None = None
    held: str = ""


def remembered(
    windows: Sequence[DriftWindow], evidence: Evidence, plan: DriftTrigger, now: datetime
) -> tuple[DriftWindow, ...]:
    """The latest windows, with that of now if it is one.

    It is none if too few rows could be judged, or if the last one is younger than the plan's ``every``. Windows of
    another version are forgotten: they say nothing of this one.
    """
    own = tuple(window for window in windows if window.version == evidence.version)
    if evidence.judged == 0 or (own and now - own[-1].at < plan.every):
        return own[-plan.of :]
    worst = dict(sorted(evidence.psi.items(), key=lambda item: -item[1])[:NAMED_FEATURES])
    seen = DriftWindow(at=now, version=evidence.version, critical=evidence.critical, psi=worst)
    return (*own, seen)[-plan.of :]


def decide(
    plan: RetrainingPlan,
    evidence: Evidence | None,
    windows: Sequence[DriftWindow],
    runs: Sequence[RetrainingRun],
    applied: datetime,
    now: datetime,
) -> Decision:
    """Decide whether a run begins.

    Runs are counted from when they began and however they ended, so one that fails at once cannot begin again
    and again.

    Args:
        plan: Of the endpoint.
        evidence: What the monitor says; None if it is silent, and then only the interval triggers.
        windows: From ``remembered``.
        runs: All of the endpoint, the oldest first.
        applied: When the plan was applied.
        now: The time.
    """
    trigger = next(_met(plan, evidence, windows, runs, applied, now), None)
    if trigger is None:
        return Decision()
    held = _held(plan, runs, now)
    return Decision(held=f"{trigger.text}; {held}") if held else Decision(trigger)


def _met(
    plan: RetrainingPlan,
    evidence: Evidence | None,
    windows: Sequence[DriftWindow],
    runs: Sequence[RetrainingRun],
    applied: datetime,
    now: datetime,
) -> Iterator[Trigger]:
    """Triggers that are met, the most telling first."""
    triggers = plan.triggers
    fresh = [window for window in windows if not runs or window.at > runs[-1].started]  # others have begun a run
    if triggers.quality and evidence and (lost := _quality(triggers.quality, evidence)):
        yield lost
    if triggers.drift and evidence and (drifted := _drift(triggers.drift, evidence, fresh)):
        yield drifted
    since = runs[-1].started if runs else applied
    if triggers.every and now - since >= triggers.every:
        waited = duration.text(now - since)
        text = f"{waited} have passed, every {duration.text(triggers.every)}"
        yield Trigger(kind=TriggerKind.INTERVAL, text=text, numbers={"seconds": (now - since).total_seconds()})


def _quality(trigger: QualityTrigger, evidence: Evidence) -> Trigger | None:
    """Lost quality: beyond the limit, and with the better end of the interval still worse than the baseline."""
    found = evidence.quality.get(trigger.metric)
    if found is None:
        return None
    if lower_is_better(trigger.metric):
        lost = found.value > found.baseline * (1 + trigger.drop) and found.lower > found.baseline
    else:
        lost = found.value < found.baseline * (1 - trigger.drop) and found.upper < found.baseline
    if not lost:
        return None
    text = (
        f"{trigger.metric} is {found.value:.3f} ({found.lower:.3f} to {found.upper:.3f}) on {evidence.labelled} "
        f"labels, {found.baseline:.3f} when {evidence.version} was made: more than {trigger.drop:.0%} lost"
    )
    numbers = {name: getattr(found, name) for name in ("value", "lower", "upper", "baseline")}
    labelled = {"labelled": evidence.labelled, "metric": trigger.metric}
    return Trigger(kind=TriggerKind.QUALITY, text=text, numbers={**numbers, **labelled})


def _drift(trigger: DriftTrigger, evidence: Evidence, windows: Sequence[DriftWindow]) -> Trigger | None:
    own = [window for window in windows if window.version == evidence.version][-trigger.of :]
    critical = [window for window in own if window.critical >= trigger.features]
    if len(critical) < trigger.critical:
        return None
    worst = ", ".join(f"{name} {value:.2f}" for name, value in critical[-1].psi.items())
    text = f"drift was critical in {len(critical)} of the last {len(own)} windows; the worst now: {worst}"
    psi = {f"psi.{name}": value for name, value in critical[-1].psi.items()}
    return Trigger(
        kind=TriggerKind.DRIFT, text=text, numbers={"critical": len(critical), "windows": len(own), **psi}
    )


def _held(plan: RetrainingPlan, runs: Sequence[RetrainingRun], now: datetime) -> str:
    """What keeps a run from beginning; empty if nothing does."""
    if run := under_way(runs):
        return f"{run.name} is {run.state}"
    if run := awaiting_approval(runs):
        return f"{run.name} awaits approval (`raygate retrain approve {run.endpoint}`)"
    if runs and now - runs[-1].started < plan.cooldown:
        left = duration.text(runs[-1].started + plan.cooldown - now)
        return f"the cooldown of {duration.text(plan.cooldown)} lasts for {left} more"
    recent = sum(now - run.started < plan.budget.within for run in runs)
    if recent >= plan.budget.runs:
        return f"the budget of {plan.budget.runs} runs in {duration.text(plan.budget.within)} is used up"
    return ""
