import gzip
import json
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from deployments.batch.errors import (
    InputUnreadable,
    InvalidBatchJob,
    NothingToScore,
    OutputTaken,
    OutputUnwritable,
)
from deployments.batch.ledger import Ledger, State
from deployments.batch.scoring_run import ThisProcess
from deployments.batch.units import units_of
from deployments.contracts.errors import PackageRejected
from deployments.runtime import columns
from deployments.runtime.predictor import Predictor
from deployments.runtime.signing_keys import KeyDirectory
from deployments.storage.location import Location

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def scores_of(package, table):
    schema = package.schema
    return Predictor(package).predict(columns.from_table(table, schema)).scores


def test_columns_are_kept_and_answers_added_in_the_order_of_the_input(scenario):
    table = scenario.table(5000)
    scenario.put("rows.parquet", table, row_group_size=700)
    manifest = scenario.run()
    made = scenario.output()
    assert made.select(table.schema.names).equals(table)
    scores = scores_of(scenario.shop[scenario.job().version], table)
    assert made["prediction"].to_pylist() == np.where(scores[:, 1] >= 0.5, "no", "yes").tolist()
    assert np.abs(made["probability"].to_numpy() - scores.max(axis=1)).max() < 1e-6
    assert set(made["model_version"].to_pylist()) == {"1.0.0"}
    assert len(set(made["prediction_id"].to_pylist())) == 5000
    assert (manifest.rows, manifest.rejected, manifest.state) == (5000, 0, State.SUCCEEDED)


def written(table, form):
    """The table as bytes of a format."""
    sink = pa.BufferOutputStream()
    if form.startswith("csv"):
        pacsv.write_csv(table, sink)
        content = sink.getvalue().to_pybytes()
    else:
        content = "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()
    return gzip.compress(content) if form.endswith("gz") else content


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "jsonl.gz"])
def test_every_format_gives_the_scores_of_parquet(scenario, form):
    table = scenario.table(400)
    table = table.set_column(
        table.schema.get_field_index("income"), "income", pa.array(table["income"].to_pandas(), from_pandas=True)
    )
    scenario.put("rows.parquet", table)
    scenario.run(output=str(scenario.folder / "expected"))
    (scenario.folder / "in" / "rows.parquet").unlink()
    scenario.text(f"rows.{form}", written(table, form))
    scenario.run(output_format="parquet")
    made, expected = scenario.output(), scenario.output("expected")
    assert made["customer"].to_pylist() == table["customer"].to_pylist()
    assert made["prediction"].to_pylist() == expected["prediction"].to_pylist()
    assert made["probability"].to_pylist() == expected["probability"].to_pylist()


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "jsonl.gz"])
def test_every_format_can_be_written(scenario, form):
    scenario.put("rows.parquet", scenario.table(100))
    manifest = scenario.run(output_format=form)
    content = (scenario.folder / "out" / manifest.files[0].path).read_bytes()
    if form.endswith("gz"):
        content = gzip.decompress(content)
    if form.startswith("csv"):
        assert len(content.decode().splitlines()) == 101
    else:
        assert [json.loads(line)["customer"] for line in content.splitlines()] == [f"c{n}" for n in range(100)]


def test_an_output_can_be_partitioned_by_a_column(scenario):
    table = scenario.table(300)
    scenario.put("rows.parquet", table)
    manifest = scenario.run(partition_by="city")
    folders = {file.path.rpartition("/")[0] for file in manifest.files}
    assert folders == {
        "city=Bern",
        "city=%C5%81%C3%B3d%C5%BA",
        "city=S%C3%A3o%20Paulo",
        "city=__HIVE_DEFAULT_PARTITION__",
    }
    whole = pq.read_table(scenario.folder / "out", partitioning="hive")
    assert sorted(whole["customer"].to_pylist()) == sorted(table["customer"].to_pylist())


def test_explanations_add_up_to_the_score(scenario):
    scenario.put("rows.parquet", scenario.table(60))
    scenario.run(explanations=True)
    made = scenario.output().to_pylist()
    for row in made:
        told = json.loads(row["explanation"])
        margin = told["base_value"] + sum(told["contributions"].values())
        of_second = 1 / (1 + np.exp(-margin))
        assert (of_second if row["prediction"] == told["of"] else 1 - of_second) == pytest.approx(
            row["probability"], abs=1e-4
        )


class TestNothingIsHalfWritten:
    def after(self, scenario, error, match, **changes):
        with pytest.raises(error, match=match):
            scenario.run(**changes)
        assert not (scenario.folder / "out").exists()

    def test_where_there_is_no_input(self, scenario):
        self.after(scenario, NothingToScore, "no such file, folder or prefix")

    def test_where_the_input_has_no_row(self, scenario):
        scenario.put("rows.parquet", scenario.table(0))
        scenario.text("more.parquet", "")
        self.after(scenario, NothingToScore, "no row")

    def test_where_a_column_is_missing(self, scenario):
        scenario.put("good.parquet", scenario.table())
        scenario.put("less.parquet", scenario.table().drop_columns(["age"]))
        self.after(scenario, InvalidBatchJob, "less.parquet: column age: is missing; the file has customer, city")

    def test_where_a_column_is_of_another_kind(self, scenario):
        table = scenario.table()
        scenario.put("rows.parquet", table.set_column(1, "age", table["age"].cast(pa.string())))
        self.after(scenario, InvalidBatchJob, "column age: is string and must be numbers")

    def test_where_a_file_among_good_ones_is_corrupt(self, scenario):
        scenario.put("a.parquet", scenario.table())
        scenario.text("b.parquet", b"PAR1 is not enough PAR1")
        self.after(scenario, InputUnreadable, "b.parquet")

    def test_where_a_file_is_of_no_known_format(self, scenario):
        scenario.text("rows.xlsx", "?")
        self.after(scenario, InvalidBatchJob, "rows.xlsx is of no known format; known suffixes: parquet, csv")

    def test_where_a_column_has_the_name_of_an_answer(self, scenario):
        scenario.put(
            "rows.parquet", scenario.table().rename_columns(["prediction", "age", "city", "income", "member"])
        )
        self.after(scenario, InvalidBatchJob, "column prediction: has the name of a column that scoring adds")

    def test_where_the_partition_column_is_unknown(self, scenario):
        scenario.put("rows.parquet", scenario.table())
        self.after(
            scenario, InvalidBatchJob, "partition_by: rows.parquet has no column 'country'", partition_by="country"
        )

    def test_where_a_compressed_file_ends_in_the_middle(self, scenario):
        content = gzip.compress(written(scenario.table(3000), "csv"))
        scenario.text("rows.csv.gz", content[: len(content) - 2000])
        with pytest.raises(InputUnreadable, match=r"rows\.csv\.gz"):
            scenario.run(output_format="parquet")
        assert not list((scenario.folder / "out").glob("*part*"))

    def test_where_the_output_cannot_be_written(self, scenario):
        scenario.put("rows.parquet", scenario.table())
        with pytest.raises(OutputUnwritable, match="/proc/out"):
            scenario.run(output="/proc/out")  # where not even root makes a folder

    def test_where_the_output_is_a_file(self, scenario):
        scenario.put("rows.parquet", scenario.table())
        (scenario.folder / "file").write_text("here")
        with pytest.raises(OutputUnwritable, match="file"):
            scenario.run(output=str(scenario.folder / "file" / "out"))

    def test_where_the_output_goes_away_while_it_is_written(self, scenario):
        scenario.put("rows.parquet", scenario.table())
        output = scenario.folder / "out"

        class Meddles:
            def score(self, plan, units):
                shutil.rmtree(output)
                output.write_text("a file")
                return ThisProcess().score(plan, units)

        with pytest.raises(OutputUnwritable, match="out cannot be written"):
            scenario.run(Meddles())


class Killed(BaseException):
    """The end of a process."""


class DiesAfter:
    """Workers that are killed after so many units."""

    def __init__(self, units):
        self._units = units

    def score(self, plan, units):
        for position, commit in enumerate(ThisProcess().score(plan, units)):
            yield commit
            if position + 1 == self._units:
                raise Killed


def test_a_worker_loads_no_package_that_is_not_signed_as_the_job_asks_for(scenario, tmp_path):
    """The plan lies in the output, where others may write: whom it believes, the worker is told by its job."""
    scenario.put("rows.parquet", scenario.table(20))
    keys = KeyDirectory(tmp_path / "signing-keys")
    keys.create()
    with pytest.raises(PackageRejected, match="it is not signed"):
        scenario.run(ThisProcess(keys.trusted()))


def test_a_file_that_changes_under_the_job_is_noticed(scenario):
    path = scenario.put("rows.parquet", scenario.table())

    class Meddles:
        def score(self, plan, units):
            pq.write_table(scenario.table(300), path)
            return ThisProcess().score(plan, units)

    with pytest.raises(InputUnreadable, match="changed since the job was planned"):
        scenario.run(Meddles())
    assert not list((scenario.folder / "out").glob("*part*"))


@pytest.mark.parametrize("name", ["more.parquet", "more.csv"])
def test_an_input_that_grew_after_its_rows_were_charged_is_not_scored(scenario, name):
    scenario.put("rows.parquet", scenario.table(100))
    assert scenario.run(charged_rows=100).rows == 100
    (scenario.folder / "in" / "rows.parquet").unlink(missing_ok=True)
    table = scenario.table(150)
    if name.endswith("csv"):
        scenario.text(name, written(table, "csv"))
    else:
        scenario.put(name, table)
    with pytest.raises(InvalidBatchJob, match="100 rows were charged"):
        scenario.run(charged_rows=100, output=str(scenario.folder / "later"))
    assert not (scenario.folder / "later").exists()


class TestAnInterruptedJob:
    @pytest.fixture(autouse=True)
    def small_units(self, monkeypatch):
        monkeypatch.setattr(
            "deployments.batch.planning.units_of", lambda files, rows_per_file: units_of(files, 100)
        )

    def begin(self, scenario, units=3):
        table = scenario.table(1000)
        scenario.put("rows.parquet", table, row_group_size=100)
        with pytest.raises(Killed):
            scenario.run(DiesAfter(units))
        return table

    def test_goes_on_and_has_every_row_once(self, scenario):
        table = self.begin(scenario)
        assert len(list((scenario.folder / "out").glob("*.parquet"))) >= 3
        assert not (scenario.folder / "out" / "_SUCCESS").exists()
        done = Ledger(Location.of(str(scenario.folder / "out"))).commits()
        assert len(done) == 3
        before = {path: path.stat().st_mtime_ns for path in (scenario.folder / "out").glob("*.parquet")}
        manifest = scenario.run(now=NOON + timedelta(hours=1))
        assert manifest.rows == 1000
        assert all(path.stat().st_mtime_ns == changed for path, changed in sorted(before.items())[:3])
        made = scenario.output()
        assert made["customer"].to_pylist() == table["customer"].to_pylist()
        assert len(set(made["prediction_id"].to_pylist())) == 1000

    def test_writes_what_an_uninterrupted_one_writes(self, scenario):
        self.begin(scenario)
        scenario.run()
        scenario.run(output=str(scenario.folder / "whole"))
        resumed, whole = scenario.output(), scenario.output("whole")
        assert resumed.drop_columns(["prediction_id"]).equals(whole.drop_columns(["prediction_id"]))

    def test_overwrites_a_file_whose_commit_was_lost_by_the_same_rows(self, scenario):
        self.begin(scenario)
        lost = scenario.folder / "out" / "_raygate" / "commits" / "00001.json"
        lost.unlink()
        content = (scenario.folder / "out" / "part-00001.parquet").read_bytes()
        assert scenario.run(now=NOON + timedelta(hours=1)).rows == 1000
        assert (scenario.folder / "out" / "part-00001.parquet").read_bytes() == content

    def test_is_not_begun_again_once_it_is_finished(self, scenario):
        self.begin(scenario)
        first = scenario.run()
        assert scenario.run(DiesAfter(1)) == first

    def test_does_not_go_on_when_the_input_changed(self, scenario):
        self.begin(scenario)
        scenario.put("rows.parquet", scenario.table(1000, seed=5), row_group_size=100)
        with pytest.raises(OutputTaken, match=r"begun when the input was another: rows\.parquet changed since"):
            scenario.run()

    def test_leaves_its_output_to_no_other_job(self, scenario):
        self.begin(scenario)
        with pytest.raises(OutputTaken, match="the beginning of another job"):
            scenario.run(version="1.1.0")

    def test_and_takes_no_folder_with_somebody_elses_files(self, scenario):
        scenario.put("rows.parquet", scenario.table())
        (scenario.folder / "out").mkdir()
        (scenario.folder / "out" / "report.pdf").write_text("mine")
        with pytest.raises(OutputTaken, match=r"is not empty \(report.pdf"):
            scenario.run()
