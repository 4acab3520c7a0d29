"""``raygate explain``: why a request went where it went, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from deployments.contracts.errors import RaygateError
from deployments.contracts.metric_names import OK
from ray_apps.cli import console
from ray_apps.settings import Settings

_REASONS = {
    "random": "drawn by the split: the request named no unit",
    "sticky": "the slot of its unit belongs to it",
    "rule": "a rule took the request before the split",
    "pin": "the caller asked for it",
    "champion": "the caller takes no part in experiments, so stable answered",
}


class NotRemembered(RaygateError):
    """The prediction log has no such prediction."""

    def __init__(self, prediction_id: str, log: str) -> None:
        super().__init__(prediction_id, log)
        self.prediction_id, self.log = prediction_id, log

    def __str__(self) -> str:
        return (
            f"{self.prediction_id} is not in {self.log}: not written yet (a minute at the most), never remembered "
            "(requestLog.share), expired or erased"
        )


def explain(
    prediction_id: Annotated[str, typer.Argument(help="as it came with the prediction")],
) -> None:
    """Say why a request went to its version, what that said, and what the shadows said."""
    from deployments.contracts.request_record import Stage
    from deployments.prediction_log import reader

    log = Settings().prediction_log
    live = reader.find(log, prediction_id)
    if live is None:
        raise NotRemembered(prediction_id, log)
    for line in account(live):
        console.say(line)
    shadow = reader.find(log, prediction_id, stage=Stage.SHADOW)
    if shadow is not None:
        console.say(f"As a shadow, {shadow['version']} said {_said(shadow)}.")


def account(found: Mapping[str, Any]) -> Iterator[str]:
    """One prediction's story, a sentence a line.

    Args:
        found: Its columns in the prediction log.
    """
    arrived = found["timestamp"].isoformat(timespec="milliseconds")
    yield f"{found['endpoint']} got it at {arrived} from {found['caller'] or 'somebody unknown'}."
    why = _REASONS.get(found["reason"], found["reason"])
    rule = f" ({found['rule']})" if found["rule"] else ""
    yield (
        f"It was assigned to {found['assigned_version']}: {why}{rule}; "
        f"probability {found['propensity']:.4g}, policy epoch {found['policy_epoch']}"
        + (f", experiment {found['experiment']}." if found["experiment"] else ".")
    )
    if found["failover"]:
        yield f"{found['assigned_version']} could not answer ({found['failover']}), so stable did."
    if found["outcome"] != OK:
        yield f"Nothing answered: {found['outcome']} after {found['latency_ms']:.1f} ms."
        return
    where = (
        f"{found['path']} path, {found['model_ms']:.2f} ms in the model" if found["path"] else "the result cache"
    )
    attempts = f", {found['attempts']} attempts" if (found["attempts"] or 0) > 1 else ""
    yield f"{found['version']} said {_said(found)} after {found['latency_ms']:.1f} ms ({where}{attempts})."


def _said(found: Mapping[str, Any]) -> str:
    if found["error"]:
        return f"nothing for this row ({found['error']})"
    probability = found["probability"]
    return str(found["prediction"]) + ("" if probability is None else f" with probability {probability:.4f}")
