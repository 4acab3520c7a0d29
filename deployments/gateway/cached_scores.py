"""Scores out of the result cache where it has them, out of the pool where it has not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np

from deployments.gateway.row_queue import Scores
from deployments.gateway.row_validation import ValidatedRows
from deployments.gateway.served_endpoint import ServedVersion
from deployments.result_cache.keys import row_keys
from deployments.result_cache.port import ResultCache

AskPool = Callable[[list[int]], Awaitable[Scores]]
"""Scores of the rows at some positions."""


async def scores_of(served: ServedVersion, rows: ValidatedRows, cache: ResultCache, ask_pool: AskPool) -> Scores:
    """Scores of all rows; the pool is asked for those only that the cache does not have.

    Raises:
        RaygateError: What the pool's dispatcher raises.
    """
    keys = row_keys(served.digest, rows)
    found = await cache.get_many(keys)
    missing = [position for position, scores in enumerate(found) if scores is None]
    served.counts.cache_hits += rows.count - len(missing)
    served.counts.cache_misses += len(missing)
    if not missing:
        return Scores(np.array(found, dtype=np.float64), {}, "", 0.0, 0)
    asked = await ask_pool(missing)
    cache.put_many([keys[position] for position in missing], asked.values)
    if len(missing) == rows.count:
        return asked
    values = np.empty((rows.count, asked.values.shape[1]))
    for position, scores in enumerate(found):
        if scores is not None:
            values[position] = scores
    values[missing] = asked.values
    errors = {missing[position]: reason for position, reason in asked.errors.items()}
    return Scores(values, errors, asked.path, asked.model_seconds, asked.attempts)
