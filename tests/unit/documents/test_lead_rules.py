"""The rules of the lead-scoring example, by Prometheus's own unit tests."""

import subprocess
from pathlib import Path

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
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
