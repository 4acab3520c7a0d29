"""Whether a version has become worse on its labels: change detectors over the stream of its errors.

**ADWIN** keeps a window of errors and cuts it where the means of the two parts differ by more than chance allows
(A. Bifet and R. Gavaldà, Learning from time-changing data with adaptive windowing, SDM 2007). It has a bound on
its false alarms and adapts by itself to how fast things change.

**Page-Hinkley** sums how far errors lie above their mean and tells when the sum has risen by more than a threshold
(E. Page, Continuous inspection schemes, Biometrika 41, 1954). It sees small steady rises sooner; its threshold is
in units of the error, so errors are divided by their standard deviation first.

Both are river's. They see only what has labels, and only as soon as the labels are there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ADWIN_DELTA = 0.002
"""Probability of a false alarm, as its authors propose."""
PAGE_HINKLEY_THRESHOLD = 50.0
PAGE_HINKLEY_SLACK = 0.1
"""Standard deviations by which an error may lie above the mean without adding to the sum: without it a stream in
which nothing changes is told to change sooner or later."""
FEWEST_ROWS = 100
"""Fewer are not enough data."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a detector says of a stream.

    Attributes:
        worse: Whether the error has risen.
        at: Position of the row at which it was noticed last, or None.
    """

    worse: bool
    at: int | None = None


def detect(errors: NDArray[np.float64]) -> dict[str, Change] | None:
    """Let each detector read the errors in the order of the predictions.

    Args:
        errors: 0 or 1 for labels, absolute differences for numbers.

    Returns:
        By detector; None if there is not enough data.
    """
    if len(errors) < FEWEST_ROWS:
        return None
    return {"adwin": _adwin(errors), "page_hinkley": _page_hinkley(errors)}


def _adwin(errors: NDArray[np.float64]) -> Change:
    from river.drift import ADWIN

    detector, noticed, worse = ADWIN(delta=ADWIN_DELTA), None, False
    for place, error in enumerate(errors.tolist()):
        before = detector.estimation
        detector.update(error)
        if detector.drift_detected:
            noticed, worse = place, detector.estimation > before
    return Change(worse, noticed if worse else None)


def _page_hinkley(errors: NDArray[np.float64]) -> Change:
    from river.drift import PageHinkley

    scale = float(errors[:FEWEST_ROWS].std()) or float(errors.std()) or 1.0
    detector = PageHinkley(
        min_instances=FEWEST_ROWS,
        delta=PAGE_HINKLEY_SLACK,
        threshold=PAGE_HINKLEY_THRESHOLD,
        alpha=1.0,
        mode="up",
    )
    noticed = None
    for place, error in enumerate((errors / scale).tolist()):
        detector.update(error)
        if detector.drift_detected:
            noticed = place
    return Change(noticed is not None, noticed)
