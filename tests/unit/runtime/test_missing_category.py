import pickle

import numpy as np
import pandas as pd
import pytest

from deployments.runtime.transformers.missing_category import MissingCategory


@pytest.mark.parametrize("null", [None, np.nan, pd.NA], ids=["None", "NaN", "NA"])
def test_every_kind_of_null_becomes_the_literal(null):
    rows = pd.DataFrame({"job": ["fixed", null]}, dtype=object)
    assert MissingCategory().fit_transform(rows).tolist() == [["fixed"], ["missing"]]


def test_the_literal_can_be_chosen():
    rows = pd.DataFrame({"job": ["fixed", None]})
    assert MissingCategory("?").fit_transform(rows).tolist() == [["fixed"], ["?"]]


def test_old_packages_find_it_where_it_was():
    assert b"deployments.runtime.transformers.missing_category" in pickle.dumps(MissingCategory())
