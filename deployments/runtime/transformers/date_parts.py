"""Numbers out of dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from deployments.contracts.wire import Floats

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PARTS: dict[str, Callable[[datetime], float]] = {
    "year": lambda moment: moment.year,
    "quarter": lambda moment: (moment.month + 2) // 3,
    "month": lambda moment: moment.month,
    "week": lambda moment: moment.isocalendar().week,
    "day": lambda moment: moment.day,
    "day_of_year": lambda moment: moment.timetuple().tm_yday,
    "weekday": lambda moment: moment.weekday(),
    "weekend": lambda moment: moment.weekday() >= 5,
    "hour": lambda moment: moment.hour,
    "minute": lambda moment: moment.minute,
    "elapsed_days": lambda moment: (moment - _EPOCH).total_seconds() / 86_400,
}
"""What a date can become, by name; Monday is weekday 0, ``elapsed_days`` counts from 1970 on."""


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers for each date of each column, a column a part.

    A date is a text of ISO 8601 such as ``2026-11-21`` or ``2026-11-21T08:30:00+01:00``; its parts are those of
    UTC, and a time without zone is taken for UTC. What is missing or is no date has missing parts.

    Args:
        parts: Names from ``PARTS``.
    """

    def __init__(self, parts: tuple[str, ...] = ("year", "month", "day", "weekday")) -> None:
        self.parts = parts

    def fit(self, rows: Any, target: Any = None) -> Self:
        """Remember the columns' names."""
        self.n_features_in_ = np.shape(rows)[1]
        self.feature_names_in_ = np.array(getattr(rows, "columns", range(self.n_features_in_)), dtype=object)
        return self

    def transform(self, rows: Any) -> Floats:
        """Return float64 (n, columns * parts)."""
        check_is_fitted(self, "n_features_in_")
        return self.on_arrays()(np.asarray(rows, dtype=object))

    def on_arrays(self) -> Callable[[NDArray[Any]], Floats]:
        """What ``transform`` does to texts that need no check."""
        computers = [PARTS[part] for part in self.parts]

        def numbers(texts: NDArray[Any]) -> Floats:
            found = np.full((len(texts), texts.shape[1] * len(computers)), np.nan)
            for row, values in enumerate(texts.tolist()):
                for column, text in enumerate(values):
                    if (moment := _moment(text)) is not None:
                        first = column * len(computers)
                        found[row, first : first + len(computers)] = [compute(moment) for compute in computers]
            return found

        return numbers

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Column and part, such as ``arrival_month``."""
        names = [f"{name}_{part}" for name in self.feature_names_in_ for part in self.parts]
        return np.array(names, dtype=object)


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
