"""Proposals of a search, whichever of its workers is faster."""

import random

import pytest
from ray.tune.search import Searcher

from training.search_order import ResultsInOrder

LAG, TRIALS = 4, 12


class Learning(Searcher):
    """Proposes what it has learnt so far."""

    def __init__(self):
        super().__init__(metric="roc_auc", mode="max")
        self.learnt = []

    def suggest(self, trial_id):
        return {"learnt": tuple(self.learnt)}

    def on_trial_complete(self, trial_id, result=None, error=False):
        self.learnt.append((trial_id, error))

    def save(self, checkpoint_path):
        raise NotImplementedError

    def restore(self, checkpoint_path):
        raise NotImplementedError


def proposals(seed, workers=2):
    """What is proposed to workers that end their trials in some order."""
    order, chance, running, found = ResultsInOrder(Learning(), LAG), random.Random(seed), [], []
    while len(found) < TRIALS:
        proposal = order.suggest(str(len(found))) if len(running) < workers else None
        if proposal is None:
            ended = running.pop(chance.randrange(len(running)))
            order.on_trial_complete(ended, {"roc_auc": 0.5})
        else:
            running.append(str(len(found)))
            found.append(proposal)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_order_in_which_trials_end_does_not_matter(seed):
    assert proposals(seed) == proposals(seed=99)


def test_a_proposal_knows_all_trials_but_the_latest():
    assert [len(proposal["learnt"]) for proposal in proposals(seed=1)] == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_no_worker_waits_for_one_that_is_slow_for_a_while():
    order = ResultsInOrder(Learning(), LAG)
    order.suggest("slow")
    for trial in ("1", "2", "3"):
        assert order.suggest(trial) is not None
        order.on_trial_complete(trial, {"roc_auc": 0.5})
    assert order.suggest("4") is None
    order.on_trial_complete("slow", error=True)
    assert order.suggest("4") == {"learnt": (("slow", True),)}
