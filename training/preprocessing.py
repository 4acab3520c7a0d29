"""From raw columns to what an estimator takes: inside the pipeline, so that serving cannot do it differently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.feature_selection import SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import Task
from deployments.runtime.transformers.clipped import Clipped
from deployments.runtime.transformers.correlation_filter import CorrelationFilter
from deployments.runtime.transformers.date_parts import DateParts
from deployments.runtime.transformers.formula import Formula
from deployments.runtime.transformers.formula_grammar import columns as columns_of
from deployments.runtime.transformers.formula_grammar import parse
from deployments.runtime.transformers.missing_category import MissingCategory
from deployments.runtime.transformers.words import Words
from training.expectations import Expectations
from training.families import Family
from training.feature_plan import CategoryPlan, ColumnPlan, DatePlan, Features, NumberPlan, TextPlan

Branch = tuple[str, Any, list[str]]

_SCALERS = {"standard": StandardScaler, "robust": RobustScaler, "min_max": MinMaxScaler}


class Preprocessing:
    """The part of a pipeline before the estimator.

    Args:
        features: What the document says of them.
        schema: The raw features.
        family: Decides what ``auto`` means: whether nulls may stay, and whether numbers are scaled.
        task: Of the model, for the encoders and selectors that look at the target.
        seed: Of those that draw.
        expectations: Where a column that holds dates is said to.
    """

    def __init__(
        self,
        features: Features,
        schema: FeatureSchema,
        family: Family,
        task: Task,
        seed: int,
        expectations: Expectations,
    ) -> None:
        self._features, self._schema, self._task, self._seed = features, schema, task, seed
        # Principal components are sums over all columns: none may be missing, and a large unit must not win.
        self._keeps_nulls = family.TAKES_NULLS and features.selection.pca is None
        self._scales = family.SCALES or features.selection.pca is not None
        self._expectations = expectations

    def pipeline(self, estimator: Any) -> Pipeline:
        """Return an unfitted pipeline that takes raw rows, nulls and texts included.

        Raises:
            InvalidDocument: A plan or a formula does not fit the columns.
        """
        # Dense: XGBoost reads the zeros of a sparse matrix as missing, and a graph's tensors are dense.
        columns = ColumnTransformer([*self._columns(), *self._derived()], sparse_threshold=0.0)
        return Pipeline([("features", columns), *self._selection(), ("model", estimator)])

    def _columns(self) -> Iterator[Branch]:
        """One branch a plan: equal plans share theirs, which makes the graph smaller and the row faster."""
        shared: dict[ColumnPlan, list[str]] = {}
        problems = []
        for feature in self._schema.features:
            expected = self._expectations.columns.get(feature.name)
            try:
                plan = self._features.plan(feature, expected.kind if expected else None)
            except ValueError as error:
                problems.append(FieldProblem(f"features.columns.{feature.name}", str(error)))
            else:
                shared.setdefault(plan, []).append(feature.name)
        if problems:
            raise InvalidDocument("training config", tuple(problems))
        kinds = [plan.kind for plan in shared]
        for plan, names in shared.items():
            alone = kinds.count(plan.kind) == 1
            name = {"number": "numbers", "category": "categories", "text": "texts", "date": "dates"}[plan.kind]
            if isinstance(plan, TextPlan):
                yield from ((f"words of {column}", _words(plan), [column]) for column in names)
            else:
                yield (name if alone else f"{name} {names[0]}"), self._treated(plan), names

    def _treated(self, plan: NumberPlan | CategoryPlan | DatePlan) -> Any:
        if isinstance(plan, NumberPlan):
            return self._number(plan)
        if isinstance(plan, DatePlan):
            return _chained(DateParts(plan.parts), self._number(NumberPlan()))
        return self._category(plan)

    def _number(self, plan: NumberPlan) -> Any:
        steps: list[Any] = []
        if plan.clip is not None:
            steps.append(Clipped(*plan.clip))
        if plan.missing == "zero":
            steps.append(SimpleImputer(strategy="constant", fill_value=0.0))
        elif plan.missing != "auto" or not self._keeps_nulls:
            steps.append(SimpleImputer(strategy="median" if plan.missing == "auto" else plan.missing))
        scale = ("standard" if self._scales else "none") if plan.scale == "auto" else plan.scale
        if scale != "none":
            steps.append(_SCALERS[scale]())
        return make_pipeline(*steps) if steps else "passthrough"

    def _category(self, plan: CategoryPlan) -> Any:
        if plan.encoding == "ordinal":
            encoder: Any = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        elif plan.encoding == "target":
            kinds = {Task.BINARY: "binary", Task.MULTICLASS: "multiclass", Task.REGRESSION: "continuous"}
            folds = KFold if self._task is Task.REGRESSION else StratifiedKFold
            encoder = TargetEncoder(
                target_type=kinds[self._task], cv=folds(5, shuffle=True, random_state=self._seed)
            )
        elif plan.rare_below is not None:
            encoder = OneHotEncoder(
                handle_unknown="infrequent_if_exist", min_frequency=plan.rare_below, sparse_output=False
            )
        else:
            encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        return make_pipeline(MissingCategory(), encoder)

    def _derived(self) -> Iterator[Branch]:
        numeric = [feature.name for feature in self._schema.numeric]
        for name, text in self._features.derived.items():
            names = list(columns_of(parse(text)))
            if unknown := [column for column in names if column not in numeric]:
                message = f"{text!r}: {', '.join(unknown)} is no number that the model takes; it takes {numeric}"
                raise InvalidDocument("training config", (FieldProblem(f"features.derived.{name}", message),))
            yield name, _chained(Formula(name, text), self._number(self._features.numbers)), names

    def _selection(self) -> Iterator[tuple[str, Any]]:
        wanted = self._features.selection
        if wanted.correlation is not None:
            yield "uncorrelated", CorrelationFilter(wanted.correlation)
        if wanted.importance is not None:
            forest = ExtraTreesRegressor if self._task is Task.REGRESSION else ExtraTreesClassifier
            judge = forest(n_estimators=100, random_state=self._seed, n_jobs=1)
            yield "important", SelectFromModel(judge, threshold=float("-inf"), max_features=wanted.importance)
        if wanted.pca is not None:
            yield "components", PCA(wanted.pca, random_state=self._seed)


def _words(plan: TextPlan) -> Words:
    return Words(max_features=plan.words, ngram_range=(1, plan.longest_run), min_df=plan.rarest, sublinear_tf=True)


def _chained(first: Any, then: Any) -> Any:
    return make_pipeline(first, *(step for _, step in then.steps)) if isinstance(then, Pipeline) else first
