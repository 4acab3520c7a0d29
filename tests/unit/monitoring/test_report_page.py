import re

import numpy as np
import pandas as pd
import pytest

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from monitoring import report
from monitoring.errors import EmptyDistribution
from monitoring.quality.figure import Figure
from ray_apps import traffic_section

SCHEMA = FeatureSchema(
    features=(
        Feature(name="Income", kind=FeatureKind.NUMBER, nullable=True),
        Feature(name="Job", kind=FeatureKind.CATEGORY),
        Feature(name="Owner", kind=FeatureKind.BOOLEAN),
        Feature(name="Passport", kind=FeatureKind.CATEGORY, pii=True),
        Feature(name="Note", kind=FeatureKind.TEXT),
    )
)


def rows(centre, count=400):
    rng = np.random.default_rng(1)
    income = rng.normal(centre, 1, count)
    income[:5] = np.nan
    return pd.DataFrame(
        {
            "Income": income,
            "Job": rng.choice(["fixed", "freelance"], count),
            "Owner": rng.choice([True, False], count),
            "Passport": "L01X00T47",
            "Note": "a word of the caller",
        }
    )


def test_the_page_shows_features_and_no_personal_data_and_loads_nothing_from_elsewhere():
    page = report.page(rows(0.0), rows(1.0), SCHEMA, preface="<h1>before it</h1>")
    assert "<body" in page[: page.index("<h1>before it</h1>")]
    assert "Income" in page
    assert "Job" in page
    assert "L01X00T47" not in page
    assert "a word of the caller" not in page
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?https?:", page)


@pytest.mark.parametrize("value", [1e308, -1e308, 1e12], ids=str)
def test_one_callers_absurd_number_does_not_cost_everybody_the_page(value):
    current = rows(1.0)
    current.loc[10, "Income"] = value
    assert "Income" in report.page(rows(0.0), current, SCHEMA)


def test_nothing_to_compare_is_an_error_and_not_an_empty_page():
    with pytest.raises(EmptyDistribution, match="current"):
        report.page(rows(0.0), rows(0.0).head(0), SCHEMA)


def test_traffic_and_quality_come_first():
    asked = pd.DataFrame(
        {
            "timestamp": pd.date_range("2026-11-21", periods=100, freq="s", tz="UTC"),
            "latency_ms": np.arange(1.0, 101.0),
            "outcome": ["OK"] * 97 + ["<script>"] * 3,
        }
    )
    section = traffic_section.html(
        "credit_risk", asked, 100, {"roc_auc": Figure(0.81, 0.79, 0.83)}, {"roc_auc": 0.85}, 40
    )
    for part in (
        "100 rows",
        "p50 50.5 ms",
        "&lt;script&gt;",
        "0.790 to 0.830",
        "0.850",
        "40 rows with a label",
        "<svg",
    ):
        assert part in section


def test_counts_are_written_out_and_a_figure_without_an_interval_shows_none():
    asked = pd.DataFrame(
        {"timestamp": [pd.Timestamp("2026-11-21", tz="UTC")] * 2020, "latency_ms": 2.0, "outcome": "OK"}
    )
    section = traffic_section.html(
        "credit_risk", asked, 2020, {"calibration_error": Figure(0.09, 0.09, 0.09)}, {}, 5
    )
    assert ">2,020</text>" in section
    assert "0.090 to" not in section


def test_one_moment_and_no_label_are_a_page_too():
    asked = pd.DataFrame(
        {"timestamp": [pd.Timestamp("2026-11-21", tz="UTC")] * 3, "latency_ms": 2.0, "outcome": "OK"}
    )
    section = traffic_section.html("credit_risk", asked, 3, {}, {}, 0)
    assert "2026-11-21 00:00:00" in section
    assert "<td>roc_auc" not in section


def test_counts_of_a_sample_are_scaled_to_all_rows_and_that_is_said():
    asked = pd.DataFrame(
        {
            "timestamp": [pd.Timestamp("2026-11-21", tz="UTC")] * 100,
            "latency_ms": 2.0,
            "outcome": ["OK"] * 99 + ["MODEL_ERROR"],
        }
    )
    section = traffic_section.html("credit_risk", asked, 20_000, {}, {}, 0)
    for part in (
        "20,000 rows, estimated from a uniform sample of 100;",
        ">20,000</text>",
        "<td>19,800</td>",
        "<td>200</td>",
    ):
        assert part in section


def test_of_a_window_that_is_too_small_no_verdict_is_given():
    page = report.page(rows(0.0), rows(3.0, 20), SCHEMA)
    assert (
        "Not enough data to call these drifted or not: Income (15 rows), Job (20 rows), Owner (20 rows)." in page
    )
    assert "Drift is detected" not in page


def test_a_feature_with_enough_rows_is_judged_beside_one_without():
    current = rows(3.0, 2000)
    current.loc[20:, "Income"] = np.nan
    page = report.page(rows(0.0, 2000), current, SCHEMA)
    assert "Not enough data to call these drifted or not: Income (15 rows)." in page
    assert "Drift is" in page
