import json

import pytest
from typer.testing import CliRunner

from deployments.access import api_key
from deployments.access.errors import NameTaken, StoreUnavailable
from deployments.access.stores import open_store
from ray_apps.cli.keys import app


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.delenv("RAYGATE_ACCESS_STORE", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*words):
        result = CliRunner().invoke(app, words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def test_a_new_key_is_alone_on_standard_output_and_shown_once(run):
    text = run("create", "shop", "--role", "operator").stdout.strip()
    assert api_key.is_genuine(text)
    shown = run("list").stdout
    assert "shop" in shown
    assert "operator" in shown
    assert text.split("_")[1] in shown
    assert text not in shown


def test_a_rotated_key_stays_in_the_list_until_its_overlap_ends(run):
    old = run("create", "shop").stdout.split("_")[1]
    new = run("rotate", old, "--overlap-hours", "0").stdout.split("_")[1]
    assert new in run("list").stdout
    assert old not in run("list").stdout
    assert "expired" in run("list", "--all").stdout


def test_a_revoked_key_leaves_the_list(run):
    key_id = run("create", "shop").stdout.split("_")[1]
    run("revoke", key_id)
    assert key_id not in run("list").stdout
    assert "revoked" in run("list", "--all").stdout


def test_who_did_it_is_in_the_audit(run, tmp_path):
    run("create", "shop")
    (event,) = open_store(f"sqlite:///{tmp_path / 'state' / 'access.db'}").audit.latest(5)
    assert "@" in event.actor
    assert json.dumps(dict(event.detail))


def test_a_second_key_of_a_caller_is_an_error(run):
    run("create", "shop")
    with pytest.raises(NameTaken):
        run("create", "shop")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["create", "shop", "--role", "root"], id="unknown-role"),
        pytest.param(["create", "shop", "--days", "0"], id="no-lifetime"),
        pytest.param(["rotate", "x", "--overlap-hours", "-1"], id="negative-overlap"),
    ],
)
def test_a_wrong_option_is_explained(run, words):
    result = run(*words)
    assert result.exit_code == 2
    assert "Invalid value" in result.output


def test_another_store_can_be_named(run, tmp_path):
    place = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    run("create", "shop", "--store", place)
    assert "shop" not in run("list").stdout
    assert "shop" in run("list", "--store", place).stdout
    with pytest.raises(StoreUnavailable):
        run("list", "--store", "mysql://root@host/x")
