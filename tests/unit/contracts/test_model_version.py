import pytest

from deployments.contracts.errors import InvalidVersion
from deployments.contracts.model_version import ModelVersion, Version, model_name


def test_versions_order_by_number_not_by_text():
    assert Version.parse("1.10.0") > Version.parse("1.9.0")
    assert sorted(map(Version.parse, ["2.0.0", "1.10.0", "1.9.12"]))[0] == Version(1, 9, 12)


def test_a_model_version_reads_what_it_writes():
    name = ModelVersion.parse("credit_risk_v1.10.0")
    assert (name.model, name.version, str(name)) == ("credit_risk", Version(1, 10, 0), "credit_risk_v1.10.0")


def test_the_kubernetes_name_has_only_what_kubernetes_allows():
    assert ModelVersion.parse("credit_risk_v1.10.0").kubernetes_name == "credit-risk-v1-10-0"


@pytest.mark.parametrize("text", ["1.0", "1.0.0.0", "01.0.0", "1.0.x", "", "v1.0.0", "1.0.0 "])
def test_what_is_not_three_numbers_is_no_version(text):
    with pytest.raises(InvalidVersion, match="version number"):
        Version.parse(text)


@pytest.mark.parametrize("text", ["credit-risk", "Credit", "1st", "a__b", "a_", "", "x" * 37])
def test_what_cannot_name_a_pool_and_a_kubernetes_resource_is_no_model_name(text):
    with pytest.raises(InvalidVersion, match="model name"):
        model_name(text)


@pytest.mark.parametrize("text", ["credit_risk", "credit_risk_1.0.0", "_v1.0.0"])
def test_what_has_no_model_and_number_is_no_model_version(text):
    with pytest.raises(InvalidVersion):
        ModelVersion.parse(text)
