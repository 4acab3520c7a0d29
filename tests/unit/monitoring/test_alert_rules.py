import re
import subprocess
from pathlib import Path

import pytest
import yaml
from exposed_series import EXPOSED

from monitoring import prometheus_rule

REPOSITORY = Path(__file__).parents[3]
ALERTS = REPOSITORY / "monitoring" / "alerts"
RULES = [
    rule for group in yaml.safe_load((ALERTS / "rules.yaml").read_text())["groups"] for rule in group["rules"]
]
NAMES = [rule["alert"] for rule in RULES if "alert" in rule]


def run(*command):
    return subprocess.run(command, cwd=ALERTS, capture_output=True, text=True, timeout=60, check=False)


def alert(name):
    return next(rule for rule in RULES if rule.get("alert") == name)


def test_the_rules_are_sound_and_each_is_silent_before_it_fires(require_program):
    promtool = require_program("promtool", package="prometheus")
    for command in (("check", "rules", "rules.yaml"), ("test", "rules", "rules_test.yaml")):
        done = run(promtool, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_notification_routes_are_sound(require_program):
    amtool = require_program("amtool", package="prometheus-alertmanager")
    done = run(amtool, "check-config", "alertmanager.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    for severity, receiver in (("critical", "on-call"), ("warning", "team")):
        routed = run(amtool, "config", "routes", "test", "--config.file=alertmanager.yaml", f"severity={severity}")
        assert routed.stdout.strip() == receiver


def test_no_secret_stands_in_the_notification_file():
    text = (ALERTS / "alertmanager.yaml").read_text()
    secrets = re.findall(
        r"^\s*-?\s*&?\w*\s*(?:api_url|routing_key|\w*password|service_key)\w*: *(.*)$", text, re.M
    )
    assert len(secrets) == 3
    assert all(value.startswith("/etc/alertmanager/secrets/") for value in secrets)


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_severity_a_patience_a_runbook_and_both_kinds_of_test(name):
    rule = alert(name)
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["for"]
    page = REPOSITORY / rule["annotations"]["runbook_url"]
    assert name in page.read_text(), f"{page.name} does not say what to do about {name}"
    cases = yaml.safe_load((ALERTS / "rules_test.yaml").read_text())["tests"]
    expected = [
        bool(test["exp_alerts"]) for case in cases for test in case["alert_rule_test"] if test["alertname"] == name
    ]
    assert set(expected) == {False, True}


@pytest.mark.parametrize(
    "base",
    [
        pytest.param("https://git.example.com/raygate/blob/main/", id="folder"),
        pytest.param("https://git.example.com/raygate/blob/main", id="without-its-slash"),
    ],
)
def test_a_runbook_can_be_clicked_from_a_message(base):
    for group in prometheus_rule.groups(base):
        for rule in (rule for rule in group["rules"] if "alert" in rule):
            address = rule["annotations"]["runbook_url"]
            page = address.removeprefix("https://git.example.com/raygate/blob/main/")
            assert page != address
            assert (REPOSITORY / page).is_file()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_series_that_exist(rule):
    asked = set(re.findall(r"\b(?:ml|raygate)_\w+", rule["expr"]))
    assert asked <= EXPOSED, f"nobody exposes {asked - EXPOSED}"
