"""Two workers, each with rows of nearly one label, fit one model together."""

import multiprocessing
import threading

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deployments.runtime.transformers.labelled_xgboost import LabelledXGBClassifier
from training.distributed import boosting, shard
from training.distributed.shard import ROWS, TARGET

LABELS = np.array(["bad", "good"])
HALF = 1500


def sorted_by_label():
    random = np.random.default_rng(0)
    rows = random.normal(size=(2 * HALF, 5)).astype(np.float32)
    target = (rows[:, 0] + random.normal(size=2 * HALF) * 0.5 > 0.6).astype(np.float64)
    order = np.argsort(target, kind="stable")
    return rows[order], target[order]


def work(worker, communicator, directory, answers):
    """Fit as one of two workers; the first has no row of the second label."""
    from xgboost.collective import CommunicatorContext

    rows, target = sorted_by_label()
    own = slice(worker * HALF, (worker + 1) * HALF)
    directory = directory / str(worker)
    directory.mkdir()
    mine = shard.write([{ROWS: rows[own], TARGET: target[own]}], directory)
    mine, weights = shard.with_every_label(mine, {0: rows[0], 1: rows[-1]}, directory)
    with CommunicatorContext(**communicator, dmlc_task_id=str(worker)):
        fitted = boosting.fit(
            "xgboost", LabelledXGBClassifier(n_estimators=20, max_depth=4), mine, LABELS, weights, directory
        )
    answers.put((weights is not None, fitted.predict_proba(rows)[:, 1]))


@pytest.mark.timeout(120)
def test_a_worker_that_lacks_a_label_does_not_keep_the_others_from_learning(tmp_path):
    from xgboost import RabitTracker

    tracker = RabitTracker(n_workers=2, host_ip="127.0.0.1", sortby="task")
    tracker.start()
    threading.Thread(target=tracker.wait_for, daemon=True).start()
    spawning = multiprocessing.get_context("spawn")
    answers = spawning.Queue()
    arguments = ({**tracker.worker_args(), "n_workers": 2}, tmp_path, answers)
    workers = [spawning.Process(target=work, args=(worker, *arguments), daemon=True) for worker in range(2)]
    for worker in workers:
        worker.start()
    (weighted, first), (other_weighted, second) = answers.get(timeout=100), answers.get(timeout=100)
    assert weighted != other_weighted, "only one of them had to add a row"
    np.testing.assert_array_equal(first, second)
    assert roc_auc_score(sorted_by_label()[1], first) > 0.9
