"""Which version scores which row: one for all, or what the endpoint's split says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.routing.assignment import Routes

REASON, PROPENSITY = "assignment_reason", "propensity"


@dataclass(frozen=True, slots=True)
class Assigned:
    """Versions of consecutive rows.

    Attributes:
        versions: With the positions of the rows that each of them scores.
        reasons: How each row's version was chosen; None where nothing was chosen.
        propensities: Probability with which each row got its version.
    """

    versions: Mapping[Version, NDArray[np.int64]]
    reasons: Sequence[str] | None = None
    propensities: Sequence[float] | None = None


class SplitAssignment:
    """The endpoint's own assignment, row by row: a unit gets the version that it gets online.

    Args:
        policy: Of the endpoint when the job was submitted.
        header_columns: Columns that stand for headers, by lower-case name.
    """

    def __init__(self, policy: TrafficPolicy, header_columns: Mapping[str, str]) -> None:
        self._routes = Routes.of(policy)
        self._header_columns = header_columns
        sticky = {policy.sticky_by.feature} if policy.sticky_by and policy.sticky_by.feature else set()
        self._features = sticky | {name for rule in policy.rules for name in rule.when.feature}

    def assign(self, table: pa.Table, draws: NDArray[np.float64]) -> Assigned:
        """Choose a version for every row.

        Args:
            table: The rows; a column that is null or not there is a header or feature that was not sent.
            draws: A uniform number a row, for those without a unit.
        """
        count = table.num_rows
        headers = {name: _texts(table, column) for name, column in self._header_columns.items()}
        features = {name: table.column(name).to_pylist() for name in self._features if name in table.schema.names}
        assigned = []
        for row in range(count):
            sent: dict[str, Any] = {
                name: values[row] for name, values in features.items() if values[row] is not None
            }
            held = {name: values[row] for name, values in headers.items()}
            assigned.append(self._routes.assign(held.get, sent, float(draws[row])))
        chosen: dict[Version, list[int]] = {}
        for row, one in enumerate(assigned):
            chosen.setdefault(one.version, []).append(row)
        return Assigned(
            {version: np.array(rows, dtype=np.int64) for version, rows in sorted(chosen.items())},
            [one.reason.value for one in assigned],
            [one.propensity for one in assigned],
        )


def one_version(version: Version, rows: int) -> Assigned:
    """All rows to one version."""
    return Assigned({version: np.arange(rows, dtype=np.int64)})


def _texts(table: pa.Table, column: str) -> list[str | None]:
    position = table.schema.get_field_index(column)
    if position < 0:
        return [None] * table.num_rows
    found: list[str | None] = table.column(position).cast(pa.string()).to_pylist()
    return found
