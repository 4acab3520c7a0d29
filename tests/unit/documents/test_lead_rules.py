"""The rules of the lead-scoring example, by Prometheus's own unit tests."""

import subprocess
from pathlib import Path

import pytest
import yaml

RULES = Path(__file__).parents[3] / "examples" / "lead-scoring" / "rules.yaml"


def series(label, rising):
    labels = f'model="lead_auto", version="1.0.0", environment="local", prediction="{label}"'
    return {"series": f"ml_predictions_total{{{labels}}}", "values": f"0+{rising}x240"}


def firing(share):
    value = f"{100 * share:g}%"
    labels = {"severity": "warning", "vertical": "auto", "model": "lead_auto", "environment": "local"}
    return {
        "exp_labels": labels,
        "exp_annotations": {"summary": f"auto: {value} of the leads are accepted; 40 % are wanted"},
    }


def check(promtool, tests, directory):
    file = directory / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


VERSION = 'model="lead_home", version="1.0.0", environment="local"'


@pytest.mark.parametrize(
    ("given", "recorded", "labels", "value"),
    [
        pytest.param(
            {f"ml_scoring_requests_total{{{VERSION}}}": "0+30x60"},
            "lead:ml_scoring_requests:rate5m",
            VERSION,
            2,
            id="requests",
        ),
        pytest.param(
            {f'ml_scoring_errors_total{{{VERSION}, code="MODEL_ERROR"}}': "0+15x60"},
            "lead:ml_scoring_errors:rate5m",
            f'{VERSION}, code="MODEL_ERROR"',
            1,
            id="errors",
        ),
        pytest.param(
            {
                f'ml_scoring_latency_seconds_bucket{{{VERSION}, le="0.5"}}': "0+9x60",
                f'ml_scoring_latency_seconds_bucket{{{VERSION}, le="1"}}': "0+10x60",
                f'ml_scoring_latency_seconds_bucket{{{VERSION}, le="+Inf"}}': "0+10x60",
            },
            "lead:ml_scoring_latency_seconds:p95_5m",
            VERSION,
            0.75,
            id="latency",
        ),
        pytest.param(
            {f'ml_model_performance{{{VERSION}, metric="accuracy"}}': "0.75x60"},
            "lead:ml_model_performance",
            f'{VERSION}, metric="accuracy"',
            0.75,
            id="performance",
        ),
    ],
)
def test_what_the_product_tells_of_a_model_is_recorded_by_vertical(
    tmp_path, require_program, given, recorded, labels, value
):
    promtool = require_program("promtool", package="prometheus")
    expected = {"labels": f'{recorded}{{vertical="home", {labels}}}', "value": value}
    test = {
        "interval": "15s",
        "input_series": [{"series": series, "values": values} for series, values in given.items()]
        + [{"series": 'ml_scoring_requests_total{model="credit_risk"}', "values": "0+1x60"}],
        "promql_expr_test": [{"expr": recorded, "eval_time": "10m", "exp_samples": [expected]}],
    }
    check(promtool, [test], tmp_path)


def test_acceptance_is_recorded_by_vertical_and_warned_of_when_it_stays_low(tmp_path, require_program):
    promtool = require_program("promtool", package="prometheus")
    alert = {"alertname": "LeadAcceptanceLow"}
    tests = [
        {
            "interval": "15s",
            # While nobody was ever accepted there is no such series.
            "input_series": [
                series(label, rising)
                for label, rising in (("accepted", accepted), ("declined", 100 - accepted))
                if rising
            ],
            "promql_expr_test": [
                {
                    "expr": "lead:acceptance:ratio_rate5m",
                    "eval_time": "10m",
                    "exp_samples": [
                        {
                            "labels": 'lead:acceptance:ratio_rate5m{vertical="auto", model="lead_auto", '
                            'environment="local"}',
                            "value": accepted / 100,
                        }
                    ],
                }
            ],
            "alert_rule_test": [
                {**alert, "eval_time": "29m", "exp_alerts": []},
                {**alert, "eval_time": "45m", "exp_alerts": [firing(accepted / 100)] if accepted < 40 else []},
            ],
        }
        for accepted in (0, 30, 60)
    ]
    check(promtool, tests, tmp_path)
