"""What is known of the versions of an endpoint: the port to whoever counts, and the double that tests use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from deployments.contracts.model_version import Version
from deployments.contracts.snapshot import VersionCounts
from deployments.rollout.analysis.window import Answer, Observed, Window
from deployments.rollout.errors import EvidenceUnavailable, FiguresWentBack
from deployments.rollout.state import Rollout
from deployments.rollout.statistics.sample import NOTHING, Sample

Counts = Mapping[str, VersionCounts]
"""Cumulative figures by version number."""
Answers = Mapping[Version, Mapping[str, Answer]]
"""What the queries of a plan came to, by version and name."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted, and by whom.

    Attributes:
        counts: Of every version.
        counted_by: Whose sums they are; those of somebody else do not go on where these end.
        limited: Why they speak for errors and latency alone, or empty.
    """

    counts: Counts
    counted_by: str
    limited: str = ""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of a version's predictions.

    Attributes:
        labels: 1 for a prediction that its label bore out, 0 for another.
        values: What feedback says they were worth.
    """

    labels: Sample = NOTHING
    values: Sample = NOTHING


class Evidence(Protocol):
    """Whoever counts."""

    def figures(self, model: str) -> Figures:
        """Cumulative figures of a model's versions.

        Raises:
            EvidenceUnavailable: Nobody can tell now.
        """
        ...

    def outcomes(self, rollout: Rollout, since: datetime) -> Mapping[Version, Outcomes]:
        """Labels and values of predictions that the rollout's versions were assigned since a moment.

        Raises:
            EvidenceUnavailable: Nobody can tell now.
        """
        ...

    def answers(self, rollout: Rollout, now: datetime) -> Answers:
        """What the queries of the rollout's plan come to; what went wrong is in each answer."""
        ...


@dataclass
class MemoryEvidence:
    """Evidence that a test writes.

    Attributes:
        counts: Cumulative figures by version number.
        told: Outcomes by version.
        answered: What the plan's queries come to.
        silent: Why nobody can tell, or empty.
        counted_by: Whose sums they are.
        limited: Why they speak for errors and latency alone, or empty.
    """

    counts: dict[str, VersionCounts] = field(default_factory=dict)
    told: dict[Version, Outcomes] = field(default_factory=dict)
    answered: Answers = field(default_factory=dict)
    silent: str = ""
    counted_by: str = "monitor"
    limited: str = ""

    def figures(self, model: str) -> Figures:
        """See Evidence."""
        if self.silent:
            raise EvidenceUnavailable(self.silent)
        counts = {version: VersionCounts.from_plain(told.to_plain()) for version, told in self.counts.items()}
        return Figures(counts, self.counted_by, self.limited)

    def outcomes(self, rollout: Rollout, since: datetime) -> Mapping[Version, Outcomes]:
        """See Evidence."""
        return dict(self.told)

    def answers(self, rollout: Rollout, now: datetime) -> Answers:
        """See Evidence."""
        return self.answered


def window(rollout: Rollout, now: Counts, outcomes: Mapping[Version, Outcomes] | None, answers: Answers) -> Window:
    """What both versions did since the baseline.

    Args:
        rollout: Its baseline is taken.
        now: Figures of this moment.
        outcomes: None if nobody can tell.
        answers: To the plan's queries.

    Raises:
        FiguresWentBack: Whoever counts began anew.
    """

    def observed(version: Version) -> Observed:
        counts = _since(rollout, str(version), now)
        answered = answers.get(version, {})
        if outcomes is None:
            return Observed(counts, answers=answered)
        told = outcomes.get(version, Outcomes())
        return Observed(counts, told.labels, told.values, answered)

    return Window(observed(rollout.candidate), observed(rollout.stable))


def _since(rollout: Rollout, version: str, now: Counts) -> VersionCounts:
    counts = VersionCounts()
    counts.add(now.get(version, VersionCounts()))
    counts.add(VersionCounts.from_plain((rollout.state.baseline or {}).get(version, {})), sign=-1)
    if _is_negative(counts):
        raise FiguresWentBack(f"figures of {version} are smaller than they were: whoever counts began anew")
    return counts


def _is_negative(counts: VersionCounts) -> bool:
    whole = [*counts.requests.values(), *counts.latency_counts, *counts.labels.values(), counts.rows]
    return min(whole, default=0) < 0
