"""How a binary model treats groups of people: rates by group, and how far they are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from training.figure import Figure

RESAMPLES = 500
FEWEST_ROWS = 20
"""Groups with fewer test rows are counted, not compared: their rates are noise."""
MISSING = "(missing)"


class GroupRates(BaseModel):
    """One group on the test rows.

    Attributes:
        group: Its value; ``(missing)`` where there is none.
        rows: How many.
        selected: Share that gets the positive label.
        true_positive: Share of the truly positive that gets it; None if there are none.
        false_positive: Share of the truly negative that gets it; None if there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str
    rows: int
    selected: float
    true_positive: float | None
    false_positive: float | None


class GroupComparison(BaseModel):
    """All groups of one column.

    Attributes:
        groups: The largest first.
        differences: Largest less smallest rate over the compared groups, with a 95 % interval: ``selected``
            (demographic parity), ``true_positive`` (equal opportunity), ``false_positive`` (with the one before,
            equalised odds; Hardt et al. 2016). An interval of largest differences never reaches below 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: tuple[GroupRates, ...]
    differences: dict[str, Figure]


def compare(column: Any, truth: NDArray[np.bool_], returned: NDArray[np.bool_], seed: int = 0) -> GroupComparison:
    """Compare the groups of a column on labelled rows.

    Args:
        column: Group of each row.
        truth: Whether each row is positive.
        returned: Whether the positive label was returned.
        seed: Of the bootstrap.
    """
    names = np.where(column.isna(), MISSING, column.astype(str)).astype(str)
    groups = [str(name) for name in np.unique(names)]
    groups.sort(key=lambda name: -int((names == name).sum()))
    rates = tuple(_rates(name, names == name, truth, returned) for name in groups)
    compared = np.array([rate.group for rate in rates if rate.rows >= FEWEST_ROWS])
    if len(compared) < 2:
        return GroupComparison(groups=rates, differences={})
    member = (names[None, :] == compared[:, None]).astype(np.float64)
    found = _differences(member, truth, returned, np.ones(len(names)))
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(RESAMPLES):
        weights = np.bincount(random.integers(0, len(names), len(names)), minlength=len(names)).astype(np.float64)
        for name, value in _differences(member, truth, returned, weights).items():
            drawn[name].append(value)
    return GroupComparison(groups=rates, differences={name: _figure(found[name], drawn[name]) for name in found})


def _rates(
    name: str, rows: NDArray[np.bool_], truth: NDArray[np.bool_], returned: NDArray[np.bool_]
) -> GroupRates:
    positive, negative = rows & truth, rows & ~truth
    return GroupRates(
        group=name,
        rows=int(rows.sum()),
        selected=float(returned[rows].mean()),
        true_positive=float(returned[positive].mean()) if positive.any() else None,
        false_positive=float(returned[negative].mean()) if negative.any() else None,
    )


def _differences(member: Any, truth: Any, returned: Any, weights: Any) -> dict[str, float]:
    asked = {"selected": np.ones(len(truth)), "true_positive": truth, "false_positive": ~truth}
    found = {}
    for name, among in asked.items():
        there = member @ (weights * among)
        with np.errstate(invalid="ignore"):
            rate = np.where(there > 0, member @ (weights * among * returned) / there, np.nan)
        found[name] = float(np.nanmax(rate) - np.nanmin(rate)) if np.isfinite(rate).any() else float("nan")
    return found


def _figure(value: float, drawn: list[float]) -> Figure:
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Figure(value=value, low=float(low), high=float(high))
