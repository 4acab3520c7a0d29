"""What workers learn from: rows of a source, some at a time, prepared by steps that were fitted on a sample."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import PackagingFailed
from training import data, fitting, version_build
from training.config import Split, TrainingConfig
from training.data import Part, TrainingData
from training.distributed import portions, preparation
from training.distributed.portions import TRAIN, Portions
from training.distributed.shard import ROWS, TARGET

DOCUMENT = """
model: m
source: {kind: parquet, path: rows}
target: {column: y}
features: {categories: {encoding: ENCODING}}
distributed: true
versions: [{version: 1.0.0, family: xgboost}]
"""


def noise(kind):
    """A category of two rows each, which tells nothing of the target."""
    draw = np.random.default_rng(7)
    target = {
        "labels": draw.choice(["no", "yes"], 1200),
        "several": draw.choice(["a", "b", "c"], 1200),
        "values": draw.normal(size=1200),
    }[kind]
    return pd.DataFrame(
        {"c": [f"c{number // 2}" for number in range(1200)], "x": draw.normal(size=1200), "y": target}
    )


def prepared(table, encoding):
    """How the rows of a table are prepared, and which of them are learnt: the sample holds all of those."""
    config = yaml_document.read(DOCUMENT.replace("ENCODING", encoding), "t.yaml", TrainingConfig)
    divided = Portions(config.split)
    learnt = table[divided.parts(divided.draws(portions.hashes(table))) == TRAIN].reset_index(drop=True)
    task, classes = data.question(learnt["y"], config.target)
    part = Part(learnt.drop(columns="y"), learnt["y"])
    subject = version_build.subject_of(config, config.versions[0], TrainingData(task, classes, part, part, part))
    return preparation.prepare(config, subject, fitting.unfitted(subject, {})[:-1]), learnt


def of_lots(preparation, table, lots):
    size = -(-len(table) // lots)
    parts = [table[begin : begin + size] for begin in range(0, len(table), size)]
    found = [preparation(pa.Table.from_pandas(part)) for part in parts]
    return np.concatenate([lot[ROWS] for lot in found]), np.concatenate([lot[TARGET] for lot in found])


@pytest.mark.parametrize("kind", ["labels", "several", "values"])
def test_no_row_that_is_learnt_was_seen_by_the_encoder_of_its_category(kind):
    table = noise(kind)
    prepare, learnt = prepared(table, "target")
    rows, target = of_lots(prepare, table, lots=3)
    assert len(rows) == len(learnt) > 700
    wanted = target == 0 if kind == "several" else target
    told = np.corrcoef(rows[:, 0], wanted)[0, 1]
    seen = np.corrcoef(prepare.steps.transform(learnt)[:, 0], wanted)[0, 1]
    assert seen > 0.5, "what an encoder makes of rows that it was fitted on"
    assert abs(told) < 0.2


def test_a_category_that_tells_of_the_target_still_does():
    table = noise("values")
    table["c"] = np.where(table["y"] > 0, "high", "low")
    prepare, _ = prepared(table, "target")
    rows, target = of_lots(prepare, table, lots=2)
    assert np.corrcoef(rows[:, 0], target)[0, 1] > 0.7


def test_steps_that_do_not_look_at_the_target_prepare_rows_as_they_will_when_they_serve():
    table = noise("labels").assign(c=lambda rows: rows["c"].str[:2])
    prepare, learnt = prepared(table, "one_hot")
    rows, _ = of_lots(prepare, table, lots=3)
    np.testing.assert_allclose(rows, prepare.steps.transform(learnt), rtol=1e-6)


def test_a_sample_with_one_row_of_a_label_is_too_small_for_encoding_by_it():
    table, divided = noise("labels"), Portions(Split())
    parts = divided.parts(divided.draws(portions.hashes(table.assign(y="rare"))))
    table.loc[np.flatnonzero(parts == TRAIN)[0], "y"] = "rare"
    with pytest.raises(
        PackagingFailed, match=r"only 1 rows of the sample are 'rare'; make distributed.sample larger"
    ):
        prepared(table, "target")
