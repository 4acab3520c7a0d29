"""A decision as others are told of it. Pure."""

from __future__ import annotations

from typing import Any

from deployments.rollout.control_database import Decision
from deployments.rollout.owed_aliases import MOVED, OWED
from deployments.rollout.reconciler import REPAIRED
from deployments.rollout.state import Phase

ROLLOUT = "rollout "
"""How the history's actions of rollouts begin; what follows is the phase."""
CONCLUDED = "experiment concluded"
"""How the history names the end that the controller gave an experiment."""
_CRITICAL = frozenset({f"{ROLLOUT}{Phase.ROLLED_BACK}"})
_WARNING = frozenset({f"{ROLLOUT}{Phase.PAUSED}", f"{ROLLOUT}{Phase.AWAITING_APPROVAL}", REPAIRED, OWED})
_OTHERS = frozenset({CONCLUDED, REPAIRED, OWED, MOVED})
_SIGNS = {"critical": ":red_circle:", "warning": ":large_yellow_circle:", "info": ":large_green_circle:"}


def is_announced(decision: Decision) -> bool:
    """Whether anybody is told of a decision.

    Of rollouts, of an experiment's end, of what was changed by hand, of what the registry was not told in time.
    """
    return decision.action.startswith(ROLLOUT) or decision.action in _OTHERS


def severity(decision: Decision) -> str:
    """``critical`` where a candidate was withdrawn, ``warning`` where a person is wanted, else ``info``."""
    if decision.action in _CRITICAL:
        return "critical"
    return "warning" if decision.action in _WARNING else "info"


def document(decision: Decision) -> dict[str, Any]:
    """The whole of it, with the verdict and its evidence."""
    return {
        "event": decision.action,
        "severity": severity(decision),
        "endpoint": decision.endpoint,
        "at": decision.at.isoformat(),
        "policy_epoch": decision.policy_epoch,
        **decision.detail,
    }


def message(decision: Decision) -> dict[str, Any]:
    """The same for people, as Slack's incoming webhooks take it."""
    detail = decision.detail
    lines = [f"{_SIGNS[severity(decision)]} *{decision.endpoint}*: {decision.action}"]
    weights = detail.get("weights")
    if isinstance(weights, dict):
        lines.append(", ".join(f"{version} {weight:g} %" for version, weight in weights.items()))
    lines += [str(detail[name]) for name in ("reason", "rollout", "experiment") if detail.get(name)]
    return {"text": "\n".join(lines)}
