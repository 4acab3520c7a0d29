"""What the monitor says of a running stack's rows, labels included."""

import httpx
from prometheus_client.parser import text_string_to_metric_families
from waiting import wait_until

CREDIT_RISK = {"model": "credit_risk", "version": "1.0.0"}


def samples(stack, name):
    text = httpx.get(stack.settings.metrics_url, timeout=10).text
    return [
        (one.labels, one.value)
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name and CREDIT_RISK.items() <= one.labels.items()
    ]


def test_drift_quality_and_the_page_follow_what_callers_sent(stack, rows, tmp_path):
    answers = [stack.predict(rows, model_version="1.0.0").json() for _ in range(12)]
    for prediction in answers[0]["predictions"]:
        body = {"prediction_id": prediction["prediction_id"], "label": prediction["prediction"]}
        assert httpx.post(f"{stack.api_url}/api/v1/feedback", json=body, headers=stack.headers).is_success

    def judged():
        return [value for _, value in samples(stack, "ml_drift_window_rows") if value >= 12 * len(rows)]

    wait_until(judged, 120)
    features = {labels["feature"]: value for labels, value in samples(stack, "ml_feature_drift_psi")}
    assert features
    assert all(value >= 0 for value in features.values())
    assert samples(stack, "ml_prediction_drift_psi")
    estimated = {labels["metric"] for labels, _ in samples(stack, "ml_model_performance_estimate")}
    assert estimated == {"accuracy", "roc_auc"}

    def labelled():
        return [value for _, value in samples(stack, "ml_labelled_rows") if value >= len(rows)]

    wait_until(labelled, 120)
    assert samples(stack, "ml_model_performance")
    page = tmp_path / "report.html"
    stack.raygate("monitor", "report", "credit-risk", "--hours", "1", "--output", str(page))
    assert "Income" in page.read_text()
