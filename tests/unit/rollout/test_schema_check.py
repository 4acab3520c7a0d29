import pytest

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.rollout import schema_check

AGE = Feature(name="age", kind=FeatureKind.NUMBER, nullable=True)
HOME = Feature(name="home", kind=FeatureKind.CATEGORY, categories=("own", "rent"))
STABLE = FeatureSchema(features=(AGE, HOME))


def changed(feature, **update):
    return feature.model_copy(update=update)


@pytest.mark.parametrize(
    "features",
    [
        pytest.param((HOME, AGE), id="another-order"),
        pytest.param((AGE, changed(HOME, nullable=True)), id="may-be-null-now"),
        pytest.param((AGE, changed(HOME, categories=("own",))), id="fewer-categories"),
        pytest.param((AGE, changed(HOME, kind=FeatureKind.TEXT, categories=())), id="free-text-now"),
        pytest.param(
            (AGE, HOME, Feature(name="new", kind=FeatureKind.NUMBER, nullable=True)), id="one-more-optional"
        ),
    ],
)
def test_a_version_that_accepts_at_least_as_much_is_no_problem(features):
    assert schema_check.narrower(STABLE, FeatureSchema(features=features)) == ()


@pytest.mark.parametrize(
    ("features", "told"),
    [
        pytest.param((AGE,), "it knows no feature home", id="one-less"),
        pytest.param((changed(AGE, nullable=False), HOME), "its age may not be null", id="null-no-more"),
        pytest.param(
            (AGE, changed(HOME, kind=FeatureKind.NUMBER, categories=())),
            "its home is a number, stable's a category",
            id="another-kind",
        ),
        pytest.param(
            (AGE, HOME, Feature(name="new", kind=FeatureKind.NUMBER)),
            "it requires new, which stable does not know",
            id="one-more-required",
        ),
    ],
)
def test_a_version_that_refuses_what_stable_accepts_is_told_by_feature(features, told):
    assert schema_check.narrower(STABLE, FeatureSchema(features=features)) == (told,)
