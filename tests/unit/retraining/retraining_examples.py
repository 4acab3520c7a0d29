"""Plans, evidence and runs as tests need them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from deployments.contracts.model_version import ModelVersion, Version
from ray_apps.retraining.decision import DriftWindow, Evidence, Measured
from ray_apps.retraining.plan import RetrainingPlan
from ray_apps.retraining.run import State, Trigger, TriggerKind, begun

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STABLE = ModelVersion("credit_risk", Version(1, 0, 0))
DRIFT = {"drift": {"critical": 2, "of": 3, "every": "1h"}}
QUALITY = {"quality": {"metric": "roc_auc", "drop": 0.05}}


def plan(triggers=None, **changes):
    fields = {
        "endpoint": "credit-risk",
        "training": "training.yaml",
        "triggers": DRIFT if triggers is None else triggers,
        "cooldown": "6h",
        "budget": {"runs": 2, "within": "2d"},
        "challenge": {"metric": "roc_auc"},
    }
    return RetrainingPlan.model_validate({**fields, **changes})


def evidence(critical=0, judged=13, auc=None, **changes):
    quality = {} if auc is None else {"roc_auc": Measured(auc, auc - 0.02, auc + 0.02, 0.80)}
    fields = {
        "version": STABLE.version,
        "judged": judged,
        "critical": critical,
        "psi": {"Age": 0.6, "Income": 0.1},
    }
    return Evidence(**{**fields, "labelled": 900, "quality": quality, **changes})


def window(hours_ago, critical=1, version=STABLE.version):
    return DriftWindow(at=NOON - hours_ago * HOUR, version=version, critical=critical, psi={"Age": 0.6})


def run(hours_ago, state=State.REJECTED):
    trigger = Trigger(kind=TriggerKind.DRIFT, text="drifted")
    started = NOON - hours_ago * HOUR
    made = begun("credit-risk", STABLE.model, STABLE.version, trigger, "monitor", started)
    return made.model_copy(update={"state": state})


HERE = Path("/")
