"""The CRD says what the models say: its schema by a JSON schema validator, its rules by an evaluator of CEL."""

import copy

import celpy
import jsonschema
import kubernetes_validate
import pyarrow.compute as pc
import pytest
import strict_schema
import yaml
from celpy import celtypes
from pydantic import ValidationError

from deployments.contracts import crd
from deployments.contracts.endpoint import ModelEndpoint

FILE = "k8s/cluster/modelendpoint.customresourcedefinition.yaml"
SCHEMA = crd.schema()


def endpoint(**changes):
    """A document with everything in it, changed by functions of its parts: ``endpoint(spec=lambda spec: ...)``."""
    document = {
        "apiVersion": "raygate.io/v1alpha1",
        "kind": "ModelEndpoint",
        "metadata": {"name": "credit-risk"},
        "spec": {
            "model": "credit_risk",
            "versions": [
                {"version": "1.0.0", "role": "stable", "scaling": {"minReplicas": 2, "maxReplicas": 10}},
                {"version": "1.1.0", "role": "candidate"},
                {
                    "version": "1.2.0",
                    "role": "candidate",
                    "resources": {"cpus": 0.5},
                    "scaling": {"minReplicas": 0, "maxReplicas": 4, "idleAfter": "10m"},
                },
            ],
            "traffic": {
                "split": {"stable": 90, "1.1.0": 10},
                "stickyBy": {"header": "x-user-id"},
                "rules": [
                    {"name": "beta", "when": {"header": {"x-cohort": "beta"}}, "version": "1.1.0"},
                    {"name": "rich", "when": {"feature": {"Income": 1000, "Home": "owner"}}, "version": "1.0.0"},
                    {"name": "staff", "when": {"units": ["ada"]}, "version": "1.2.0"},
                ],
                "shadow": [{"version": "1.2.0", "percent": 50}],
            },
            "limits": {"maxRows": 100},
        },
    }
    for part, change in changes.items():
        change(
            document["spec"] if part == "spec" else document["spec"]["traffic"] if part == "traffic" else document
        )
    return document


def model_refuses(document):
    try:
        ModelEndpoint.model_validate(copy.deepcopy(document))
    except ValidationError:
        return True
    return False


def total(values):
    """Kubernetes' own list function; CEL has none."""
    return celtypes.DoubleType(sum(float(value) for value in values))


def broken_rules(document):
    """Messages of the rules that a document breaks, as the API server would tell them."""
    return list(_broken(SCHEMA, document))


def _broken(schema, value):
    for validation in schema.get("x-kubernetes-validations", ()):
        environment = celpy.Environment()
        program = environment.program(environment.compile(validation["rule"]), functions={"sum": total})
        if not program.evaluate({"self": celpy.json_to_cel(value)}):
            yield validation["message"]
    if isinstance(value, dict):
        for name, child in value.items():
            below = schema.get("properties", {}).get(name) or schema.get("additionalProperties") or {}
            yield from _broken(below, child)
    elif isinstance(value, list):
        for child in value:
            yield from _broken(schema.get("items", {}), child)


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(strict_schema.strict(SCHEMA, root=True))


def test_the_file_in_git_is_what_the_models_make(repository):
    text = (repository / FILE).read_text()
    assert yaml.safe_load(text) == crd.definition(), "run `make manifests`"


def test_it_is_a_valid_crd():
    kubernetes_validate.validate(crd.definition(), "1.31", strict=True)


def test_people_see_what_they_look_for():
    [version] = crd.definition()["spec"]["versions"]
    assert [column["name"] for column in version["additionalPrinterColumns"]] == [
        "Model", "Stable", "Traffic", "Ready", "Age",
    ]  # fmt: skip
    assert version["subresources"] == {"status": {}}
    assert crd.definition()["spec"]["names"]["shortNames"] == ["mep"]


def parts(schema, path="."):
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from parts(child, f"{path}{name}.")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from parts(schema[key], f"{path}[].")


def test_the_schema_is_structural():
    """Every part has a type or takes anything; nothing of JSON schema is left that Kubernetes refuses."""
    refused = {"$ref", "$defs", "anyOf", "oneOf", "const", "title", "default", "discriminator", "prefixItems"}
    for path, part in parts(SCHEMA):
        assert ("type" in part) != ("x-kubernetes-preserve-unknown-fields" in part and "type" not in part), path
        assert not refused & set(part), path
        assert not ("properties" in part and "additionalProperties" in part), path
        assert all(isinstance(part.get(key, True), bool) for key in ("exclusiveMinimum", "exclusiveMaximum")), path


def test_every_pattern_is_one_that_the_api_server_can_read():
    """It compiles them with RE2, as Arrow does, which knows no lookahead."""
    patterns = {part["pattern"] for _, part in parts(SCHEMA) if "pattern" in part}
    assert patterns
    for pattern in patterns:
        pc.match_substring_regex(["1h30m"], pattern)


def test_every_field_of_the_models_is_described_or_speaks_for_itself():
    described = [path for path, part in parts(SCHEMA["properties"]["spec"]) if part.get("description")]
    assert "limits.maxRows." in " ".join(described)
    assert all("Attributes:" not in part.get("description", "") for _, part in parts(SCHEMA))


def test_lists_that_rules_go_through_are_bounded_so_that_the_api_server_can_bound_their_cost():
    spec = SCHEMA["properties"]["spec"]["properties"]
    assert spec["versions"]["maxItems"] == 32
    assert spec["traffic"]["properties"]["split"]["maxProperties"] == 32
    assert spec["traffic"]["properties"]["rules"]["items"]["properties"]["when"]["properties"]["units"]["maxItems"]


def test_the_examples_and_a_full_document_pass(repository, validator):
    examples = [yaml.safe_load(path.read_text()) for path in sorted(repository.glob("examples/*/endpoint.yaml"))]
    assert examples
    for document in (endpoint(), *examples):
        assert not model_refuses(document)
        assert [error.message for error in validator.iter_errors(document)] == []
        assert broken_rules(document) == []


def spec(change):
    return {"spec": change}


def traffic(change):
    return {"traffic": change}


def split(weights, **more):
    return traffic(lambda part: part.update(split=weights, **more))


WRONG = {
    "no-stable": (spec(lambda part: part["versions"][0].update(role="candidate")), "role stable"),
    "two-stable": (spec(lambda part: part["versions"][1].update(role="stable")), "role stable"),
    "alias-of-a-candidate": (
        spec(lambda part: part["versions"][1].update(alias="challenger")),
        "follows an alias",
    ),
    "version-twice": (spec(lambda part: part["versions"][2].update(version="1.1.0")), "named twice"),
    "stable-that-sleeps": (
        spec(lambda part: part["versions"][0].update(scaling={"minReplicas": 0, "maxReplicas": 2})),
        "the version is stable",
    ),
    "idle-and-never-asleep": (
        spec(lambda part: part["versions"][1].update(scaling={"minReplicas": 1, "idleAfter": "5m"})),
        "never sleeps",
    ),
    "bounds": (spec(lambda part: part["versions"][0]["scaling"].update(maxReplicas=1)), "below minReplicas"),
    "name": ({"document": lambda part: part["metadata"].update(name="Credit_Risk")}, "metadata.name"),
    "unknown-in-split": (split({"stable": 90, "9.9.9": 10}), "every key"),
    "ambiguous-role": (split({"stable": 90, "candidate": 10}), "every key"),
    "by-number-and-role": (split({"stable": 50, "1.0.0": 50}), "stands twice, by its number"),
    "sum": (split({"stable": 80, "1.1.0": 10}), "add up to 100"),
    "too-fine": (split({"stable": 99.999, "1.1.0": 0.001}), "0.01"),
    "negative": (split({"stable": 110, "1.1.0": -10}), "0.01"),
    "rule-of-unknown": (traffic(lambda part: part["rules"][0].update(version="9.9.9")), "does not have"),
    "rule-name-twice": (traffic(lambda part: part["rules"][0].update(name="rich")), "a name stands twice"),
    "empty-condition": (traffic(lambda part: part["rules"][0].update(when={})), "at least one of"),
    "units-of-nobody": (traffic(lambda part: part.pop("stickyBy")), "needs stickyBy"),
    "sticky-by-two": (traffic(lambda part: part["stickyBy"].update(feature="Age")), "one of them"),
    "sticky-by-none": (traffic(lambda part: part.update(stickyBy={})), "one of them"),
    "shadow-of-unknown": (traffic(lambda part: part["shadow"][0].update(version="9.9.9")), "every shadow"),
    "shadow-twice": (traffic(lambda part: part["shadow"].append({"version": "1.2.0"})), "every shadow"),
    "shadow-with-weight": (traffic(lambda part: part["shadow"][0].update(version="1.1.0")), "copies only"),
    "bandit-of-one-arm": (split({"stable": 100}, bandit={}), "two arms"),
    "bandit-floors": (
        split({"stable": 40, "1.1.0": 30, "1.2.0": 30}, shadow=[], bandit={"floor": 50}),
        "two arms",
    ),
}


@pytest.mark.parametrize(("changes", "told"), WRONG.values(), ids=WRONG.keys())
def test_what_the_model_refuses_by_a_rule_the_api_server_refuses_too(changes, told):
    document = endpoint(**changes)
    assert model_refuses(document)
    assert any(told in message for message in broken_rules(document)), broken_rules(document)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"spec": lambda spec: spec.update(modle="x")}, id="unknown-field"),
        pytest.param({"spec": lambda spec: spec.pop("traffic")}, id="missing"),
        pytest.param({"spec": lambda spec: spec["versions"][0].update(version="1.0")}, id="not-a-version"),
        pytest.param({"spec": lambda spec: spec["versions"][0].update(role="boss")}, id="not-a-role"),
        pytest.param(
            {"spec": lambda spec: spec["versions"][0]["scaling"].update(minReplicas=-1)}, id="below-minimum"
        ),
        pytest.param(
            {"spec": lambda spec: spec["versions"][2]["resources"].update(cpus=0)}, id="exclusive-minimum"
        ),
        pytest.param({"spec": lambda spec: spec.update(versions=[])}, id="no-versions"),
        pytest.param({"traffic": lambda traffic: traffic.update(split=[90, 10])}, id="list-for-a-map"),
    ],
)
def test_what_the_model_refuses_by_a_type_the_schema_refuses_too(validator, changes):
    document = endpoint(**changes)
    assert model_refuses(document)
    assert list(validator.iter_errors(document))
