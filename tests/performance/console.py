"""How the benchmarks talk to whoever runs them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import psutil

from deployments.contracts.errors import RaygateError

BUSY_SECONDS = 2


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)


def busy_percent() -> float:
    """How much of the machine something else takes before anything is started; said too."""
    busy = psutil.cpu_percent(interval=BUSY_SECONDS)
    say(f"The machine was {busy:.0f} % busy before the run.")
    return busy


def run(benchmark: Callable[[], None]) -> None:
    """Run a benchmark from the command line; what it started ends with it, however it ends."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside: stop what was started, too
    try:
        benchmark()
    except RaygateError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; everything that was started is stopped, nothing was written")
