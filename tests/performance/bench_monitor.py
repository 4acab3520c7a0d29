"""``make bench-monitor``: what a row costs in a gateway, a snapshot in the monitor, a judgement of drift."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import console
import labelled_log
import numpy as np
import page
from document import conditions
from labelled_log import Look
from report import bullets, machine_facts, told

from deployments.contracts.distributions import Distributions
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.package import Task
from deployments.contracts.reference_profile import FeatureReference, Histogram, ReferenceProfile
from deployments.contracts.snapshot import GatewaySnapshot, VersionCounts
from deployments.gateway.distribution_counter import DistributionCounter
from deployments.gateway.row_validation import RowValidator
from monitoring import intake
from monitoring.drift.judgement import judge
from monitoring.drift.limits import DriftLimits
from monitoring.window import Window

CITIES = {f"city {place}": 100 for place in range(20)}
SENT_A_SECOND = 2
FEATURES = (5, 20, 50)
GATEWAYS, VERSIONS = 10, 3
TAKEN_ROWS, TAKEN_FEATURES = 5000, 20
JUDGED_ROWS, JUDGED_FEATURES = 10_000, 50
LOGGED_ROWS, LABELS = 500_000, 5000


def world(features: int) -> tuple[FeatureSchema, ReferenceProfile]:
    """Three numbers to each category."""
    kinds = [FeatureKind.CATEGORY if place % 4 == 3 else FeatureKind.NUMBER for place in range(features)]
    schema = FeatureSchema(
        features=tuple(
            Feature(name=f"f{place}", kind=kind, categories=tuple(sorted(CITIES)) if kind == "category" else ())
            for place, kind in enumerate(kinds)
        )
    )
    histogram = Histogram(edges=tuple(np.linspace(0, 1, 11)), counts=(200,) * 10)
    references = {
        feature.name: FeatureReference(nulls=0, categories=CITIES)
        if feature.kind is FeatureKind.CATEGORY
        else FeatureReference(nulls=0, histogram=histogram)
        for feature in schema.features
    }
    return schema, ReferenceProfile(rows=2000, features=references, score=histogram)


def counted(features: int, rows: int) -> tuple[Distributions, float]:
    """The counts of so many rows, and the CPU seconds that counting took."""
    schema, reference = world(features)
    rng = np.random.default_rng(1)
    draws = rng.random((1000, features))
    cities = sorted(CITIES)
    validator = RowValidator(schema)
    requests = [
        validator.validate(
            [
                {
                    f.name: cities[int(draw * 20)] if f.kind is FeatureKind.CATEGORY else float(draw)
                    for f, draw in zip(schema.features, line, strict=True)
                }
            ]
        )
        for line in draws
    ]
    scores = np.array([[0.4, 0.6]])
    counter = DistributionCounter(schema, reference, Task.BINARY)
    began = time.process_time()
    for place in range(rows):
        counter.add(requests[place % 1000], scores)
    found = counter.counted()
    return found, time.process_time() - began


def seconds_of(work: Callable[[], object], times: int) -> float:
    """CPU seconds of one run, the mean of several."""
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU seconds.

    Attributes:
        row: Of counting a row in a gateway, by number of features.
        second: Of one second of the monitor, with the gateways that there are.
        adding: Of adding up what all gateways counted.
        counting: Of counting the rows of a pass.
        judging: Of judging them.
        look: At the labels of an hour.
        megabytes: What this process held at its largest.
    """

    row: Mapping[int, float]
    second: float
    adding: float
    counting: float
    judging: float
    look: Look
    megabytes: float


def labelled_look() -> Look:
    """A monitor's first look at an hour's labels."""
    with tempfile.TemporaryDirectory() as directory:
        numbers = tuple(Feature(name=f"f{place}", kind=FeatureKind.NUMBER) for place in range(TAKEN_FEATURES))
        labelled_log.write(Path(directory), FeatureSchema(features=numbers), LOGGED_ROWS, LABELS)
        return labelled_log.first_look(Path(directory))


def measured() -> Figures:
    """Every figure."""
    row = {features: counted(features, 50_000)[1] / 50_000 for features in FEATURES}
    live, _ = counted(TAKEN_FEATURES, 10_000)
    versions = {("model", f"1.{place}.0"): VersionCounts(requests={"OK": 1}) for place in range(VERSIONS)}
    sent = GatewaySnapshot(
        "a", 1, 0.0, {}, {}, versions, {}, {(*key, "d" * 64): live for key in versions}
    ).to_plain()
    window = Window()
    for place in range(GATEWAYS):
        window = window.after(intake.read({**sent, "gateway": str(place)}), 0.0)

    def take() -> None:
        window.after(intake.read({**sent, "gateway": "0", "sequence": 2}), 1.0).totals()

    wide, counting = counted(JUDGED_FEATURES, JUDGED_ROWS)
    _, reference = world(JUDGED_FEATURES)
    return Figures(
        row=row,
        second=seconds_of(take, 300) * GATEWAYS * SENT_A_SECOND,
        adding=seconds_of(window.observed, 100),
        counting=counting,
        judging=seconds_of(lambda: judge(reference, wide, DriftLimits()), 10),
        megabytes=labelled_log.peak_megabytes(),
        look=labelled_look(),
    )


def document(found: Figures, conditions: str) -> str:
    """The part of the page."""
    cores = found.row[TAKEN_FEATURES] * TAKEN_ROWS + found.second
    drift = found.counting + found.judging
    rows = "\n".join(f"| {features} | {seconds * 1e6:.2f} |" for features, seconds in found.row.items())
    promises = [
        told(
            f"{TAKEN_ROWS:,} rows/s of {TAKEN_FEATURES} features cost less than half a core",
            cores < 0.5,
            f"{cores:.3f}",
        ),
        told(
            f"a drift pass over {JUDGED_FEATURES} features and {JUDGED_ROWS:,} rows takes less than 2 s",
            drift < 2,
            f"{found.counting:.2f} s of counting, which gateways do, and {found.judging:.3f} s of judging",
        ),
    ]
    return f"""
`make bench-monitor`: CPU time of one thread; rows one a request, three numbers to a category.

{conditions}

| features | a row in a gateway, µs |
|--:|--:|
{rows}

A monitor of {GATEWAYS} gateways, each with {VERSIONS} versions of {TAKEN_FEATURES} features, takes
{found.second:.3f} cores, whatever the traffic, and {found.adding * 1e3:.1f} ms to add up what they counted; the
process that does all of this holds {found.megabytes:.0f} MB. A look at {LABELS:,} labels on {LOGGED_ROWS:,} logged
rows takes {found.look.seconds:.2f} s of a CPU and {found.look.megabytes:.0f} MB more.

{bullets(promises)}
"""


def main() -> None:
    """Measure, print and write the page's part."""
    busy = console.busy_percent()
    text = document(measured(), conditions(busy, machine_facts(), datetime.now(UTC)))
    console.say(text)
    page.write(page.PAGE, "make bench-monitor", text)


if __name__ == "__main__":
    console.run(main)
