"""What follows from decisions beside the traffic: each is handed on, in order, however often the process dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deployments.rollout import control_database
from deployments.rollout.control_database import Decision, transaction

AUDIT = "audit"
"""Name of the follower that carries every decision to the audit's database."""
Take = Callable[[int, Decision], bool]
"""Takes a decision with its number; False asks to be given it again at the next look."""


class DecisionFollower:
    """One follower of the history.

    What is handed on when the process dies is handed on again: receivers know it by the decision's number.

    Args:
        file: The control database.
        name: Under which it remembers how far it is.
        take: Does what follows.
        whole_history: Whether it begins with the first decision ever, or with those after it was first started.
    """

    def __init__(self, file: Path, name: str, take: Take, *, whole_history: bool = False) -> None:
        self._file, self._name, self._take = file, name, take
        control_database.create(file)
        with transaction(file) as database:
            first = "0" if whole_history else "coalesce(max(id), 0)"
            database.execute(f"INSERT OR IGNORE INTO followers SELECT ?, {first} FROM decisions", (name,))

    def look(self) -> None:
        """Hand on what was decided since the last look."""
        for number, decision in self._since():
            if not self._take(number, decision):
                return
            with transaction(self._file) as database:
                database.execute("UPDATE followers SET decision = ? WHERE name = ?", (number, self._name))

    def _since(self) -> list[tuple[int, Decision]]:
        with transaction(self._file) as database:
            (last,) = database.execute("SELECT decision FROM followers WHERE name = ?", (self._name,)).fetchone()
            return control_database.decisions_after(database, last)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a follower has not taken yet.

    Attributes:
        decisions: How many.
        oldest: When the first of them was made; None where there is none.
    """

    decisions: int
    oldest: datetime | None


def backlog(file: Path, name: str) -> Backlog:
    """How far a follower is behind; one that never started is behind by everything."""
    control_database.create(file)
    with transaction(file) as database:
        count, oldest = database.execute(
            "SELECT count(*), min(at) FROM decisions"
            " WHERE id > coalesce((SELECT decision FROM followers WHERE name = ?), 0)",
            (name,),
        ).fetchone()
    return Backlog(count, None if oldest is None else datetime.fromisoformat(oldest))
