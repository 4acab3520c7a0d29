"""What the processes of a running stack say of themselves, where people look for it."""

import json

from waiting import wait_until

from ray_apps.local.places import Places


def events(stack):
    """Lines of our own in the logs of Ray's workers."""
    logs = Places(stack.settings.state).ray_sessions / "session_latest" / "logs"
    for file in logs.glob("worker-*.err"):
        for line in file.read_text(errors="replace").splitlines():
            if line.startswith('{"timestamp"'):
                yield json.loads(line)


def test_some_predictions_are_events_with_the_request_id_that_the_answer_has(stack, rows):
    answers = {}

    def told():
        answer = stack.predict(rows[0])
        answers[answer.headers["x-request-id"]] = answer.json()["prediction_id"]
        shown = [one for one in events(stack) if one["event"] == "prediction"]
        return next((one for one in shown if one.get("request_id") in answers), None)

    line = wait_until(told)
    assert (line["process"], line["level"], line["model_id"]) == ("gateway", "INFO", "credit-risk")
    assert line["prediction_id"] == answers[line["request_id"]]
    assert line["model_version"] in ("1.0.0", "1.1.0")
    assert line["features"]["Income"] == rows[0]["Income"]
    assert line["latency_ms"] > 0
