import numpy as np

from training.search_journal import Journal, key


def test_finished_trials_are_read_back_by_their_parameters(tmp_path):
    journal = Journal(tmp_path / "search" / "finished.jsonl")
    assert journal.read() == {}
    journal.write({"leaves": np.int64(7), "rate": 0.1}, ((5, 0.5), (15, 0.75)))
    journal.write({"rate": 0.2, "leaves": 9}, ((0, 0.25),))
    assert journal.read() == {
        key({"rate": 0.1, "leaves": 7}): ((5, 0.5), (15, 0.75)),
        key({"leaves": 9, "rate": 0.2}): ((0, 0.25),),
    }


def test_a_line_that_a_crash_cut_off_costs_that_trial_alone(tmp_path):
    file = tmp_path / "finished.jsonl"
    Journal(file).write({"a": 1}, ((0, 0.5),))
    Journal(file).write({"a": 2}, ((0, 0.6),))
    file.write_text(file.read_text()[:-4])
    Journal(file).write({"a": 3}, ((0, 0.7),))
    assert Journal(file).read() == {key({"a": 1}): ((0, 0.5),), key({"a": 3}): ((0, 0.7),)}
