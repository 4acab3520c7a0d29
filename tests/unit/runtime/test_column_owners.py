import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, StandardScaler

from deployments.runtime import columns as columnar
from deployments.runtime.explanations import column_owners
from deployments.runtime.explanations.own_contributions import dense
from deployments.runtime.transformers.missing_category import MissingCategory
from training import feature_schema

NUMBERS, TEXTS = ["age", "income"], ["city", "device"]


def owners_of(transformer, rows, sample_rows=None):
    transformer.fit(rows)
    schema = feature_schema.infer(rows)
    sample = columnar.from_frame(rows.head(sample_rows or len(rows)), schema)
    dtypes = rows.dtypes.to_dict()
    found = column_owners.find(
        lambda columns: dense(transformer.transform(columnar.to_frame(columns, schema, dtypes))), sample, schema
    )
    if found is None:
        return None
    names = [feature.name for feature in schema.features]
    return [names[row.argmax()] if row.any() else "nobody" for row in found]


@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])
def test_every_column_of_a_usual_pipeline_has_the_feature_that_its_name_says(rows, sparse):
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    categories = make_pipeline(MissingCategory(), OneHotEncoder(sparse_output=sparse))
    transformer = ColumnTransformer([("n", numbers, NUMBERS), ("c", categories, TEXTS)], remainder="passthrough")
    found = owners_of(transformer, rows)
    assert found == ["age", "income", "income", *["city"] * 4, *["device"] * 2, "member"]


def test_a_category_that_no_reference_row_holds_is_found(rows):
    rare = rows[["age", "device"]].copy()
    rare.loc[299, "device"] = "watch"
    encoder = ColumnTransformer([("c", OneHotEncoder(sparse_output=False), ["device"])])
    assert owners_of(encoder, rare, sample_rows=20) == ["device"] * 3


def test_bins_of_a_number_belong_to_it(rows):
    bins = KBinsDiscretizer(12, encode="onehot-dense", quantile_method="averaged_inverted_cdf")
    assert owners_of(ColumnTransformer([("b", bins, ["age"])]), rows) == ["age"] * 12


def test_words_of_a_free_text_belong_to_it():
    rows = pd.DataFrame({"note": [f"word{number} and word{number % 7}" for number in range(1100)]})
    found = owners_of(ColumnTransformer([("t", TfidfVectorizer(), "note")]), rows)
    assert set(found) == {"note"}


def test_a_column_that_never_changes_is_nobodys(rows):
    constant = FunctionTransformer(lambda frame: np.column_stack([np.ones(len(frame)), frame["age"]]))
    assert owners_of(constant, rows) == ["nobody", "age"]


@pytest.mark.parametrize(
    "mixing",
    [
        pytest.param(PCA(1), id="principal-component"),
        pytest.param(FunctionTransformer(lambda numbers: numbers[:, [0]] / numbers[:, [1]]), id="ratio"),
        pytest.param(
            FunctionTransformer(lambda numbers: (numbers > [45, 3000]).all(axis=1)[:, None]), id="both-large"
        ),
    ],
)
def test_a_column_made_of_two_features_has_no_owner(rows, mixing):
    assert owners_of(ColumnTransformer([("m", make_pipeline(SimpleImputer(), mixing), NUMBERS)]), rows) is None
