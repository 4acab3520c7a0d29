import pyarrow as pa
import pytest

from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.routing.assignment import Routes

OLD, NEW = Version(1, 0, 0), Version(1, 1, 0)


def policy(**changes):
    given = {
        "endpoint": "shop",
        "model": "shop",
        "policy_epoch": 1,
        "stable": OLD,
        "versions": (OLD, NEW),
        "slots": ((OLD, 7000), (NEW, 3000)),
        "salt": "shop",
        "sticky_by": {"header": "x-user-id"},
    }
    return TrafficPolicy(**{**given, **changes})


def split(scenario, table, **changes):
    scenario.put("rows.parquet", table)
    columns = {"x-user-id": "customer"}
    scenario.run(version=None, policy=policy(**changes), header_columns=columns)
    return scenario.output().to_pylist()


def test_every_unit_has_the_version_that_it_has_online(scenario):
    made = split(scenario, scenario.table(2000))
    routes = Routes.of(policy())
    online = [str(routes.assign({"x-user-id": row["customer"]}.get, {}, 0.5).version) for row in made]
    assert [row["model_version"] for row in made] == online
    assert {row["assignment_reason"] for row in made} == {"sticky"}
    assert {row["model_version"]: row["propensity"] for row in made} == {"1.0.0": 0.7, "1.1.0": 0.3}
    assert [row["customer"] for row in made] == [f"c{number}" for number in range(2000)]


def test_a_whole_number_is_the_same_unit_in_a_column_of_floats(scenario):
    table = scenario.table(500)
    by_age = {"sticky_by": {"feature": "age"}}
    whole = split(scenario, table, **by_age)
    floats = table.set_column(table.schema.get_field_index("age"), "age", table["age"].cast(pa.float64()))
    scenario.folder = scenario.folder / "again"
    assert [row["model_version"] for row in split(scenario, floats, **by_age)] == [
        row["model_version"] for row in whole
    ]


def test_rules_come_before_the_split(scenario):
    rule = {"name": "bern", "when": {"feature": {"city": "Bern"}}, "version": NEW}
    made = split(scenario, scenario.table(300), rules=(rule,))
    from_bern = [row for row in made if row["city"] == "Bern"]
    assert {(row["model_version"], row["assignment_reason"]) for row in from_bern} == {("1.1.0", "rule")}
    assert {row["model_version"] for row in made if row["city"] != "Bern"} == {"1.0.0", "1.1.0"}


def test_rows_without_a_unit_are_divided_by_the_weights(scenario):
    table = scenario.table(3000)
    table = table.set_column(0, "customer", pa.nulls(3000, pa.string()))
    made = split(scenario, table)
    assert {row["assignment_reason"] for row in made} == {"random"}
    share = sum(row["model_version"] == "1.1.0" for row in made) / 3000
    assert share == pytest.approx(0.3, abs=0.04)
