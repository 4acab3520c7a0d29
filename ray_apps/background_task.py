"""Work beside what is served: in a process that ends with it, behind everything else on its node."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def run(function: Callable[..., T], *arguments: object) -> T:
    """What a function returns that takes seconds of a CPU and hundreds of megabytes; raises what it raises.

    Args:
        function: Importable by name; arguments and result travel between processes.
        arguments: Of the function.
    """
    import ray

    task: Any = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(_run_last)
    result: T = await task.remote(function, arguments)
    return result


def _run_last(function: Callable[..., T], arguments: tuple[object, ...]) -> T:
    os.nice(15)  # callers' requests first
    return function(*arguments)
