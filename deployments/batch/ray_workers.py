"""Ray Data as the workers of a job: a pool of actors that hold the packages; units go in, commits come out.

Only descriptions of units travel through Ray. Rows are read, scored and written by the same process, so that the
object store holds none of them, whatever the input's size.
"""

from __future__ import annotations

import logging
import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from deployments.batch.errors import WorkersDied
from deployments.batch.ledger import Commit
from deployments.batch.plan import Plan
from deployments.batch.unit_scoring import UnitScorer
from deployments.batch.units import Unit
from deployments.contracts.errors import RaygateError
from deployments.runtime.signature import TrustedKeys

UNIT, COMMIT, ERROR = "unit", "commit", "error"
ATTEMPTS = 6
"""Of a unit whose worker dies. Ray Data never gives up, and Ray's own retries are used up by one lost node."""


class RayWorkers:
    """An actor pool on the cluster that this process is connected to.

    Args:
        most: Actors at most; the pool grows to it while units wait and CPUs are free.
        trusted: Keys of which one must have signed each package; None asks for no signature. By value: another
            node may not have them.
        cpus: Ray CPUs that each reserves.
    """

    def __init__(self, most: int, trusted: TrustedKeys | None = None, cpus: float = 1.0) -> None:
        self._most, self._trusted, self._cpus = most, trusted, cpus

    def score(self, plan: Plan, units: Sequence[Unit]) -> Iterator[Commit]:
        """Give the commit of every unit, in any order.

        An actor whose process dies is replaced, and its unit is done again.

        Raises:
            RaygateError: What a unit raised.
            WorkersDied: A unit killed one actor after another.
        """
        import ray
        from ray import data

        data.DataContext.get_current().enable_progress_bars = False  # ours counts rows, not blocks
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        wanted = data.from_items(
            [{UNIT: unit.model_dump_json()} for unit in units], override_num_blocks=len(units)
        )
        most = max(1, min(self._most, len(units)))
        free = int(ray.available_resources().get("CPU", 0) // self._cpus)  # type: ignore[no-untyped-call]
        pool = data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=max(1, min(most, free)))
        attempts = ray.remote(_Attempts).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
        committed = wanted.map_batches(
            _Worker,
            batch_size=1,
            compute=pool,
            num_cpus=self._cpus,
            fn_constructor_args=(plan.model_dump_json(by_alias=True), attempts, self._trusted),
        )
        for row in committed.iter_rows():
            if row[ERROR]:
                raise pickle.loads(row[ERROR])
            yield Commit.model_validate_json(row[COMMIT])


class _Attempts:
    """Counts how often each unit was begun, for as long as the job runs."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        """Note that a unit begins; how many times it has."""
        self._begun[number] += 1
        return self._begun[number]


class _Worker:
    """Scores units in one process; its packages are loaded once."""

    def __init__(self, plan: str, attempts: Any, trusted: TrustedKeys | None) -> None:
        self._scorer, self._attempts = UnitScorer(Plan.model_validate_json(plan), trusted), attempts

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Score the one unit of a batch; an error that is meant for people travels as a value, whole."""
        import ray

        unit = Unit.model_validate_json(str(batch[UNIT][0]))
        try:
            if ray.get(self._attempts.begin.remote(unit.number)) > ATTEMPTS:
                raise WorkersDied(ATTEMPTS)
            return {COMMIT: [self._scorer.score(unit).model_dump_json()], ERROR: [b""]}
        except RaygateError as error:
            return {COMMIT: [""], ERROR: [pickle.dumps(error)]}
