"""Lead scoring: four verticals trained from synthetic leads, asked as callers ask, judged by the truth."""

import importlib.util
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from deployments.contracts import endpoint
from deployments.documents.document_model import DocumentModel
from deployments.rollout import document_check
from deployments.runtime import columns as columnar
from deployments.runtime.model_store import ModelStore
from deployments.runtime.predictor import Predictor
from training import config, run
from training.places import Places

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "lead-scoring"
VERTICALS = ("auto", "home", "health", "life")
QUIET = datetime(2026, 3, 1, 14, tzinfo=UTC)
PEAK = datetime(2026, 3, 2, 10, tzinfo=UTC)
KEEN = "need a policy this week"
LEADS = {
    "auto": {"age": 30, "vehicle_age": 3, "make": "Toyota", "occupation": "Nurse", "message": KEEN},
    "home": {"age": 50, "built": 2006, "area": 100, "construction": "Brick", "owner": True, "message": KEEN},
    "health": {"age": 40, "height": 180, "weight": 80, "smoker": False, "occupation": "driver", "message": KEEN},
    "life": {
        "age": 40,
        "smoker": False,
        "insured_sum": 150000,
        "years": 20,
        "dependants": 2,
        "occupation": "nurse",
    },
}


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("lead_generator", EXAMPLE / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Where a reader of the documents stands: the commands' paths are counted from there."""
    directory = tmp_path_factory.mktemp("leads")
    (directory / "examples").symlink_to(REPOSITORY / "examples")
    command = [sys.executable, "examples/lead-scoring/generate.py", "--rows", "4000"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return directory


class NoRegistry:
    def register(self, made, receipt):
        pass


@pytest.fixture(scope="module", params=VERTICALS)
def vertical(request, workplace):
    """Name, document model and endpoint file of one vertical."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        document = config.read(EXAMPLE / "training" / f"{request.param}.yaml")
        places = Places(ModelStore(workplace / "models"), NoRegistry(), workplace / "searches", lambda: None)
        (outcome,) = run.train(document, places, lambda line: None)
    file = EXAMPLE / "endpoints" / f"{request.param}.yaml"
    served = endpoint.parse(file.read_text(), str(file))
    documents = served.spec.documents
    model = DocumentModel.load(Predictor(outcome.package), documents.pre, documents.post)
    return request.param, model, served, outcome.package


def ask(model, vertical, lead, at=QUIET):
    text = json.dumps({"vertical": vertical, "lead_data": lead})
    made = model.answer([text], ["id"], at)
    assert not made.reply.failures
    return json.loads(made.reply.answers[0]) if made.reply.answers[0] else made.reply.refused[0]


def test_an_answer_has_the_agreed_shape(vertical):
    name, model, _, made = vertical
    answer = ask(model, name, LEADS[name])
    assert list(answer) == ["score", "confidence", "price", "market_factors", "model_version"]
    assert 0 <= answer["score"] <= 1
    accepted = answer["score"] >= made.metadata.threshold == 0.65
    assert answer["confidence"] == pytest.approx(answer["score"] if accepted else 1 - answer["score"], abs=1e-5)
    assert answer["model_version"] == "1.0.0"


def test_a_price_is_the_premium_of_the_day_times_its_factors(vertical):
    name, model, _, _ = vertical
    quiet, peak = ask(model, name, LEADS[name], QUIET), ask(model, name, LEADS[name], PEAK)
    assert (quiet["market_factors"]["peak_hours"], peak["market_factors"]["peak_hours"]) == (1.0, 1.2)
    assert peak["price"] == pytest.approx(1.2 * quiet["price"], abs=0.02)
    assert peak["score"] == quiet["score"]


def test_the_four_files_share_one_path_and_name_what_is_shipped(vertical):
    _, _, served, made = vertical
    others = [endpoint.parse(file.read_text(), str(file)) for file in sorted((EXAMPLE / "endpoints").glob("*"))]
    document_check.check_route(served, others, "endpoint")
    assert document_check.check_transformers(served.spec.documents, made.directory, "1.0.0") == ()


def test_scores_are_calibrated_on_leads_that_nobody_trained_on(vertical, generator):
    name, _, _, made = vertical
    leads = generator.leads_of(name, 6000, seed=99)
    columns = columnar.from_frame(leads.drop(columns="outcome"), made.schema)
    scores = Predictor(made).predict(columns).scores[:, 1]
    bought = (leads["outcome"] == "accepted").to_numpy()
    for low in np.arange(0.1, 1.0, 0.2):
        within = (scores >= low - 0.1) & (scores < low + 0.1)
        if within.sum() > 200:
            assert bought[within].mean() == pytest.approx(scores[within].mean(), abs=0.06), (name, low)
    assert (scores >= 0.65).mean() > 0.4


@pytest.mark.parametrize("vertical", ["auto"], indirect=True)
def test_what_is_left_out_has_its_default_and_what_cannot_be_is_refused(vertical):
    _, model, _, _ = vertical
    whole = {**LEADS["auto"], "driving_years": 13, "annual_mileage": 12000}
    assert ask(model, "auto", whole) == ask(model, "auto", LEADS["auto"])
    (problem,) = ask(model, "auto", {**LEADS["auto"], "driving_years": 30})
    assert (problem.where, problem.message) == ("lead_data.driving_years", "must be at most 13 at the age of 30")


def test_the_same_seed_makes_the_same_leads(generator):
    assert generator.leads_of("life", 50, 7).equals(generator.leads_of("life", 50, 7))
    assert not generator.leads_of("life", 50, 7).equals(generator.leads_of("life", 50, 8))
