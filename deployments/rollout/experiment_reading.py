"""What an experiment says at one look: is it sound, is it over, who won. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployments.contracts.experiment import ArmComparison, ExperimentDesign, ExperimentOutcome, ExperimentReading
from deployments.contracts.model_version import Version
from deployments.rollout.statistics import (
    fixed_horizon,
    mean_difference_sequence,
    power,
    proportion_sequence,
    sample_ratio,
)
from deployments.rollout.statistics.power import PlannedEffect
from deployments.rollout.statistics.sample import Sample


@dataclass(frozen=True, slots=True)
class Arm:
    """One version's part of an experiment.

    Attributes:
        share: Of the traffic, as planned, in any unit.
        outcomes: Of its units: 1 or 0 for a conversion, the sum of a unit's values otherwise.
        failed: Requests that it failed.
        requests: All of its requests.
    """

    share: float
    outcomes: Sample
    failed: int = 0
    requests: int = 0


def planned_units(design: ExperimentDesign, ratio: float = 1.0) -> int:
    """Units of control that find the planned effect with the planned power.

    Args:
        design: Of the experiment.
        ratio: Units of a treatment for one of control.
    """
    if design.metric == "conversion":
        planned = PlannedEffect.of_shares(design.baseline, design.effect, ratio)
    else:
        variance = (design.deviation or 1.0) ** 2
        planned = PlannedEffect(design.effect, variance, variance, ratio)
    units = power.sequential_units if design.test == "sequential" else power.fixed_horizon_units
    return units(planned, _alpha(design), design.power)


def read(design: ExperimentDesign, arms: Mapping[Version, Arm], is_over: bool) -> ExperimentReading:
    """Read an experiment.

    A division of units that is not the planned one stops everything: whatever caused it may have caused a
    difference too. A fixed test is not read before its planned size, whoever looks.

    Args:
        design: Of the experiment.
        arms: Control and every treatment.
        is_over: Whether its time is up.
    """
    control = arms[design.control]
    smallest = min(arms[version].share for version in design.treatments) / control.share
    units = {str(version): arm.outcomes.count for version, arm in arms.items()}
    planned, ratio = planned_units(design, smallest), _ratio(arms)
    comparisons: tuple[ArmComparison, ...] = ()
    winner = None
    if ratio is not None and ratio < sample_ratio.MISMATCH_BELOW:
        outcome = ExperimentOutcome.MISMATCH
        reason = f"units are not divided as planned (p = {ratio:.2g}): nothing of it can be read"
    elif broken := _broken_guardrail(design, arms):
        outcome = ExperimentOutcome.GUARDRAIL
        reason = f"{broken} fails more requests than {design.control}, by more than {design.error_guardrail:.2%}"
    else:
        is_planned_end = is_over or (design.test == "fixed" and control.outcomes.count >= planned)
        if design.test == "sequential" or is_planned_end:
            compared = (_compare(design, control, version, arms[version]) for version in design.treatments)
            comparisons = tuple(found for found in compared if found is not None)
        outcome, reason, winner = _decide(design, comparisons, is_planned_end)
    return ExperimentReading(
        outcome=outcome,
        reason=reason,
        winner=winner,
        units=units,
        planned_units=planned,
        ratio_p_value=ratio,
        comparisons=comparisons,
    )


def _alpha(design: ExperimentDesign) -> float:
    """Of one comparison: Bonferroni's part."""
    return (1 - design.confidence) / len(design.treatments)


def _ratio(arms: Mapping[Version, Arm]) -> float | None:
    units = {str(version): arm.outcomes.count for version, arm in arms.items()}
    if not sum(units.values()):
        return None
    return sample_ratio.p_value(units, {str(version): arm.share for version, arm in arms.items()})


def _broken_guardrail(design: ExperimentDesign, arms: Mapping[Version, Arm]) -> Version | None:
    """The first treatment that surely fails more requests than control, by more than is allowed."""
    control = arms[design.control]
    for version in design.treatments:
        treatment = arms[version]
        if not control.requests or not treatment.requests:
            continue
        over = proportion_sequence.difference(
            (control.failed, control.requests), (treatment.failed, treatment.requests), _alpha(design)
        )
        if over.lower > design.error_guardrail:
            return version
    return None


def _compare(design: ExperimentDesign, control: Arm, version: Version, treatment: Arm) -> ArmComparison | None:
    """None while there is too little to compare."""
    ours, theirs, alpha = treatment.outcomes, control.outcomes, _alpha(design)
    if min(ours.count, theirs.count) < mean_difference_sequence.MIN_OBSERVATIONS:
        return None
    if design.test == "sequential":
        difference = mean_difference_sequence.interval(theirs, ours, design.effect, alpha)
        if difference is None:
            return None
        p_value = mean_difference_sequence.p_value(theirs, ours, design.effect)
    else:
        compare = fixed_horizon.of_proportions if design.metric == "conversion" else fixed_horizon.of_means
        found = compare(theirs, ours, alpha)
        difference, p_value = found.difference, found.p_value
    return ArmComparison(
        version=version,
        difference=difference.estimate,
        lower=difference.lower,
        upper=difference.upper,
        p_value=p_value,
    )


def _decide(
    design: ExperimentDesign, comparisons: tuple[ArmComparison, ...], is_final: bool
) -> tuple[ExperimentOutcome, str, Version | None]:
    better = [found for found in comparisons if found.lower > 0]
    if better:
        best = max(better, key=lambda found: found.difference)
        told = f"{best.version} is better than {design.control} by {best.difference:.4g} ({_between(best)})"
        return ExperimentOutcome.WINNER, told, best.version
    if len(comparisons) == len(design.treatments) and all(found.upper < 0 for found in comparisons):
        told = "; ".join(f"{found.version} is worse by {-found.difference:.4g}" for found in comparisons)
        return ExperimentOutcome.CONTROL_WINS, told, design.control
    if is_final:
        told = "; ".join(f"{found.version}: {_between(found)}" for found in comparisons) or "too few units"
        return ExperimentOutcome.NO_WINNER, f"no difference was shown: {told}", None
    return ExperimentOutcome.RUNNING, "no difference is shown yet", None


def _between(found: ArmComparison) -> str:
    return f"between {found.lower:.4g} and {found.upper:.4g}"
