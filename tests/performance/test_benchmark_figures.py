"""What turns measurements into the page; run by ``pytest tests/performance``."""

import json
import math
import random

import bench_cost
import bench_distributed
import bench_monitor
import bench_shedding
import bench_soak
import bench_train
import estimates
import page
import pytest
import report
import wrk
from bench_soak import Sample
from open_loop import OpenLoop
from process_tree import label
from report import Case, Measurement
from wrk import ClosedLoop

from deployments.contracts.traffic_policy import Limits

MIB = 2**20
OFFERED = bench_cost.Offered(rate=500, seconds=8, warm_up=3, pairs=3)


def closed(rate, p50=1.0, p99=30.0, bad=0):
    return ClosedLoop(int(rate * 10), rate, p50, 5.0, p99, bad, 0)


def open_run(good=200.0, p99=1000.0, refused=0, errors=0, wanted=200.0):
    return OpenLoop(wanted, 4000, good, 500.0, 900.0, p99, p99, 1.0, refused, 2.0, 9.0, errors)


def test_a_command_replaces_its_own_part_and_keeps_the_others():
    first = page.written("", "make bench", "old figures")
    both = page.written(page.written(first, page.BY_HAND, "a thought"), "make bench", "new figures")
    assert "new figures" in both
    assert "old figures" not in both
    assert "a thought" in both


def test_a_part_that_nobody_measured_names_its_command():
    text = page.written("", "make bench", "figures")
    assert "Not measured yet: `make bench-soak`." in text
    assert "Not measured yet: `make bench`." not in text


def test_writing_the_same_part_twice_changes_nothing():
    once = page.written("", "make bench-cost", "\nfigures\n")
    assert page.written(once, "make bench-cost", "\nfigures\n") == once


def test_a_part_of_a_page_that_people_write_is_replaced_alone(tmp_path):
    document = tmp_path / "training.md"
    document.write_text("# Words\n<!-- make x: begin -->\nold\n<!-- make x: end -->\nmore\n")
    page.replace(document, "make x", "\nnew\n")
    assert document.read_text() == "# Words\n<!-- make x: begin -->\nnew\n<!-- make x: end -->\nmore\n"
    with pytest.raises(ValueError, match="has no lines <!-- make y: begin -->"):
        page.replace(document, "make y", "new")


def test_only_good_answers_count_into_a_rate():
    figures = {"requests": 100, "microseconds": 1_000_000, "p50": 1, "p95": 1, "p99": 1}
    load = wrk.parse(json.dumps({**figures, "bad_status": 40, "socket_errors": 0}))
    assert load.rate == 60


def test_the_interval_of_a_ratio_is_that_of_its_logarithm():
    found = estimates.ratio([(100, 110), (200, 240), (50, 52.5)])
    assert found.value == pytest.approx((1.1 * 1.2 * 1.05) ** (1 / 3))
    assert found.low < found.value < found.high
    assert found.value / found.low == pytest.approx(found.high / found.value)


def test_equal_pairs_leave_no_doubt():
    assert estimates.difference([(1, 3), (2, 4)]) == estimates.Estimate(2, 2, 2)


def test_one_pair_has_no_interval():
    with pytest.raises(ValueError, match="two pairs, not 1"):
        estimates.ratio([(1, 2)])


def test_a_straight_line_has_its_slope():
    assert estimates.slope([0, 1, 2, 3], [5, 7, 9, 11]).value == pytest.approx(2)


def test_noise_around_a_line_is_in_its_interval():
    draw = random.Random(7)
    found = estimates.slope(range(200), [3 * x + draw.gauss(0, 20) for x in range(200)])
    assert found.low < 3 < found.high
    assert found.low > 2.5


def test_samples_that_follow_their_neighbours_widen_the_interval():
    draw, walk = random.Random(7), [0.0]
    for _ in range(199):
        walk.append(0.95 * walk[-1] + draw.gauss(0, 1))
    shuffled = walk.copy()
    draw.shuffle(shuffled)
    times = range(200)
    following, independent = estimates.slope(times, walk), estimates.slope(times, shuffled)
    assert following.high - following.low > 3 * (independent.high - independent.low)


def test_a_growing_process_is_told_from_a_flat_one():
    samples = [
        Sample(second, {"gateway": (100 + second) * MIB, "pool": (100 + number % 2) * MIB})
        for number, second in enumerate(range(0, 300, 5))
    ]
    lines = bench_soak.table(bench_soak.growth(samples)).splitlines()
    assert [line.rsplit("|", 2)[1].strip() for line in lines[2:]] == ["grows", "grows", "flat"]
    assert "+3600.0 [" in lines[3]


def test_a_process_that_came_later_has_no_slope():
    samples = [Sample(second, {"a": MIB, **({"b": MIB} if second > 5 else {})}) for second in range(20)]
    assert [one.process for one in bench_soak.growth(samples)] == [bench_soak.WHOLE_STACK, "a"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(["/a/b/raylet", "--x=/secret"], "raylet", id="program"),
        pytest.param(["/v/bin/python3.11", "-u", "/r/dashboard.py", "--y"], "python dashboard.py", id="script"),
        pytest.param(
            ["ray::ServeReplica:gateway:Gateway.handle extra"],
            "ray::ServeReplica:gateway:Gateway.handle",
            id="ray",
        ),
        pytest.param([], "unknown", id="nothing"),
    ],
)
def test_a_process_is_named_without_paths_of_the_machine(command, expected):
    assert label(command) == expected


@pytest.mark.parametrize(
    ("with_log", "verdict"),
    [
        pytest.param((105, 106, 105), "- met: prediction log", id="within-the-goal"),
        pytest.param((100, 130, 160), "- NOT MET: prediction log", id="the-interval-reaches-beyond"),
    ],
)
def test_a_cost_is_met_when_its_whole_interval_is(with_log, verdict):
    pairs = {bench_cost.LOG: [(100, with_it) for with_it in with_log]}
    assert verdict in bench_cost.document(pairs, OFFERED, idle=0.01, measured="")


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        pytest.param({}, 0, id="bounded"),
        pytest.param({"good": 150.0}, 1, id="goodput-collapses"),
        pytest.param({"p99": 4000.0}, 1, id="latency-collapses"),
        pytest.param({"errors": 3}, 1, id="lost"),
    ],
)
def test_the_shedding_curve_is_judged(changed, broken):
    curve = {1: open_run(), 4: open_run(**changed)}
    lines = bench_shedding.expectations(curve, Limits())
    assert sum(line.startswith("NOT MET") for line in lines) == broken


def test_rounds_become_medians_and_errors_add_up():
    case = Case("Raygate", 1, 64)
    table = report.summarise(Measurement(case, closed(rate, bad=1), 900.0, 1000.0) for rate in (100, 300, 200))
    assert table[case].rate == 200
    assert table[case].errors == 3


def test_a_ratio_that_was_not_measured_stays_empty():
    roles = report.Roles("R", "S", "A", "B")
    cases = {"R": 300, "A": 400}
    table = report.summarise(Measurement(Case(name, 1, 1), closed(rate), 1.0, 1.0) for name, rate in cases.items())
    assert "| 1 | 1 | 0.75x |  |  |" in report.ratios_table(table, roles)


def test_nothing_refused_shows_no_latency_of_refusals():
    run = OpenLoop(200, 100, 200, 1, 1, 1, 1, 1, 0, math.nan, math.nan, 0)
    assert "nan" not in bench_shedding.table({1: run})


@pytest.mark.parametrize(
    ("searches", "verdict"),
    [
        pytest.param((110, 120), "met: a search costs less than 1.3x of the loop (seen: 1.15x", id="met"),
        pytest.param((140, 150), "NOT MET: a search costs less than 1.3x of the loop (seen: 1.45x", id="missed"),
    ],
)
def test_a_search_is_judged_by_its_ratio_to_the_loop(searches, verdict):
    assert bench_train.verdict(estimates.ratio([(100, seconds) for seconds in searches])).startswith(verdict)


@pytest.mark.parametrize(("peak", "verdict"), [(400, "- met"), (600, "- NOT MET"), (0, "- NOT MET")])
def test_a_worker_is_judged_by_its_peak_on_the_larger_set(peak, verdict):
    fits = [
        bench_distributed.Fit("xgboost", size * MIB, 1, 1.0, 0.9, {bench_distributed.FITTING: seen * MIB})
        for size, seen in ((512, 900), (5120, peak))
    ]
    [line] = bench_distributed.verdicts(fits, budget=512).splitlines()
    assert line.startswith(f"{verdict}: a worker fits xgboost to 5,120 MiB within 512 MiB")


class TestMonitoring:
    LOOK = bench_monitor.Look(0.8, 60)
    FAST = bench_monitor.Figures({5: 1e-6, 20: 3e-6, 50: 7e-6}, 0.013, 0.003, 0.08, 0.05, LOOK, 150)

    def test_both_promises_are_judged(self):
        assert bench_monitor.document(self.FAST, "conditions").count("- met") == 2

    def test_what_is_too_slow_is_said(self):
        slow = bench_monitor.Figures({20: 2e-4}, 0.013, 0.003, 1.5, 1.0, self.LOOK, 150)
        assert bench_monitor.document(slow, "conditions").count("- NOT MET") == 2
