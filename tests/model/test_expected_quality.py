"""What the examples claim, over all rows in turn: the figures of docs/training.md, from fewer fits."""

from pathlib import Path

from training import config, cross_validation, data

EXAMPLES = Path(__file__).parents[2] / "examples"


def judged(name, folds=5):
    document = config.read(EXAMPLES / name / "training.yaml")
    found = cross_validation.judge(document, data.read(document), folds, repeats=1, progress=print)
    for one in found:
        print(name, one.version.family, {metric: str(figure) for metric, figure in one.metrics.items()})
    return found


def test_churn_is_told_far_better_than_by_the_majority():
    (churn,) = judged("churn")
    assert churn.metrics["accuracy"].mean - churn.metrics["accuracy"].half_width >= 0.94
    assert churn.metrics["roc_auc"].mean >= 0.90
    assert churn.metrics["roc_auc"].mean - churn.metrics["roc_auc"].half_width >= 0.88


def test_boosted_trees_rank_borrowers_better_than_the_baseline_by_more_than_chance():
    document = config.read(EXAMPLES / "credit-risk" / "training.yaml")
    # Near to what the example's search finds.
    found = {"n_estimators": 150, "learning_rate": 0.05, "max_depth": 4}
    versions = tuple(
        one.model_copy(update={"parameters": {**one.parameters, **(found if one.search else {})}, "search": None})
        for one in document.versions
    )
    document = document.model_copy(update={"versions": versions})
    baseline, boosted = cross_validation.judge(document, data.read(document), 5, repeats=3, progress=print)
    assert baseline.metrics["roc_auc"].mean >= 0.82
    better = boosted.differences["roc_auc"]
    assert better.mean > better.half_width, str(better)


def test_house_prices_are_explained():
    _, boosted = judged("house-prices", folds=4)
    assert boosted.metrics["r2"].mean - boosted.metrics["r2"].half_width >= 0.88
