"""Judges every version that answers, again and again, from the window of the moment."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from deployments.contracts.distributions import PackageKey
from deployments.contracts.errors import RaygateError
from deployments.contracts.reference_profile import ReferenceProfile
from monitoring.drift.judgement import VersionDrift, judge
from monitoring.drift.limits import DriftLimits
from monitoring.sliding import Observed, Point, Sliding, Span, joined

_log = logging.getLogger("raygate.monitor")


class DriftWatch:
    """One thread looks; others may read ``judged`` meanwhile, which is replaced as a whole.

    Args:
        limits: When to judge, and from where on it is drift.
        span: Of the sliding window.

    Attributes:
        judged: The latest judgement of each package.
        window: The rows of each package that it was made from.
    """

    def __init__(self, limits: DriftLimits | None = None, span: Span | None = None) -> None:
        self._limits = limits or DriftLimits()
        self._sliding = Sliding(span or Span())
        self._recalled: Observed = {}
        self.judged: Mapping[PackageKey, VersionDrift] = {}
        self.window: Observed = {}

    def recall(self, past: Sequence[Point]) -> None:
        """Take over what was counted in the window before this one listened, oldest first."""
        if past:
            self._sliding = self._sliding.preceded_by(past)
            self._recalled = joined(self._recalled, past[-1].observed)

    def look(self, observed: Observed, references: Mapping[PackageKey, ReferenceProfile], now: float) -> None:
        """Judge every package whose reference is known.

        Args:
            observed: Counts since the monitor listens (``Window.observed``).
            references: By package; one that is not there yet is judged another time.
            now: Seconds, monotonic.
        """
        observed = joined(observed, self._recalled)
        self._sliding = self._sliding.after(now, observed)
        judged: dict[PackageKey, VersionDrift] = {}
        window = self._sliding.counted(observed)
        for key, live in window.items():
            if key not in references:
                continue
            try:
                judged[key] = judge(references[key], live, self._limits)
            except RaygateError as error:  # one package's trouble is not the others'
                _log.warning("drift of %s %s cannot be judged: %s", key[0], key[1], error)
        self.judged, self.window = judged, window
