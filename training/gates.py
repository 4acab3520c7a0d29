"""Limits that a version must keep, or nothing of it is packaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from training.errors import GateMissed
from training.evaluation_report import EvaluationReport
from training.metric_name import lower_is_better


class Gate(BaseModel):
    """The limit of one metric on the test rows: the least value, or the largest where lower is better.

    Attributes:
        limit: The value itself is allowed.
        confident: The worse end of the metric's interval must keep the limit, not the figure alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    limit: float
    confident: bool = False


def _read(written: Any) -> Any:
    return {"limit": written} if isinstance(written, int | float) and not isinstance(written, bool) else written


Gates = dict[str, Annotated[Gate, BeforeValidator(_read)]]
"""Gate by name of the metric; a number alone is its limit."""


def check(what: str, report: EvaluationReport, gates: Mapping[str, Gate]) -> None:
    """Refuse a model that misses a gate.

    Raises:
        GateMissed: The error names every gate that was missed, with figure and limit.
    """
    missed = tuple(text for name, gate in gates.items() if (text := _missed(name, report, gate)))
    if missed:
        raise GateMissed(what, missed)


def _missed(name: str, report: EvaluationReport, gate: Gate) -> str:
    if name not in report.metrics:
        return f"gate {name}: there is no such metric; there are {', '.join(report.metrics)}"
    figure = report.metrics[name]
    lower = lower_is_better(name)
    tested, said = figure.value, "is"
    if gate.confident:
        tested, said = (
            (figure.high if lower else figure.low),
            f"is {figure.value:.4f}, and with 95 % confidence at ",
        )
        said += "most" if lower else "least"
    if tested <= gate.limit if lower else tested >= gate.limit:
        return ""
    wanted = "at most" if lower else "at least"
    return f"{name} on the test rows {said} {tested:.4f}, its gate wants {wanted} {gate.limit:g}"
