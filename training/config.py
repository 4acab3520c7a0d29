"""What a training run is told: data, target, and the versions to train from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from deployments.contracts import model_version
from deployments.contracts.errors import InvalidVersion
from deployments.contracts.model_version import Version
from deployments.contracts.package import RiskTier
from deployments.runtime import document
from training.custom_metric import ImportPath
from training.decision import Decision
from training.distributed import limits as distributed_limits
from training.distributed import plan as distributed_plan
from training.documents.card import Card
from training.expectations import ColumnExpectation, Expectations
from training.families import FamilyName
from training.feature_plan import CategoryPlan, Features
from training.gates import Gates
from training.metric_name import COST, OF_QUANTITIES, MetricName, of_target
from training.search_plan import Search
from training.sources import Source
from training.variants.plan import Variant

AUTO = "auto"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Target(_Part):
    """What to predict.

    Attributes:
        column: Its name.
        columns: Several columns of quantities, predicted together; instead of ``column``.
        positive: Of two labels, the one whose probability the model is about.
        task: What is asked of it; by default its values tell: reals, and whole numbers with more than 50 different
            values, are a quantity, everything else is labels.
    """

    column: str = ""
    columns: tuple[str, ...] = ()
    positive: str | int | bool | None = None
    task: Literal["classification", "regression"] | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Target:
        if bool(self.column) == bool(self.columns):
            raise ValueError("give a column, or several columns, and not both")
        if self.columns and (len(set(self.columns)) < len(self.columns) or len(self.columns) < 2):
            raise ValueError(f"columns {list(self.columns)} must be two names or more, each once")
        if self.columns and (self.task == "classification" or self.positive is not None):
            raise ValueError("several columns are quantities; labels are one column")
        if self.task == "regression" and self.positive is not None:
            raise ValueError(f"positive {self.positive!r} is for labels, not for a regression")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, one or several."""
        return self.columns or (self.column,)


class Cleaning(_Part):
    """What is done to rows before they are divided.

    Attributes:
        duplicates: ``drop`` keeps the first of rows that are equal in every column of the source, excluded ones
            too; a row that is in two parts would be learnt and then asked.
        missing_target: ``drop`` leaves out rows whose target is null; otherwise they are an error.
    """

    duplicates: Literal["keep", "drop"] = "keep"
    missing_target: Literal["refuse", "drop"] = "refuse"


class Split(_Part):
    """Shares of the rows; they must sum to 1.

    Attributes:
        train: The model and the reference profile come from these.
        validation: Search, parity and the reference scores come from these.
        test: The reported metrics come from these, and nothing else does.
        seed: Of the shuffle.
        stratify: Keep the shares of the labels in each part; not for a regression, nor by time.
        by_time: Column of dates or numbers: the earliest rows train, the latest test. It may be excluded from the
            features.
    """

    train: float = Field(0.7, gt=0, lt=1)
    validation: float = Field(0.15, gt=0, lt=1)
    test: float = Field(0.15, gt=0, lt=1)
    seed: int = 42
    stratify: bool = True
    by_time: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Split:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test sum to {total:g}, not to 1")
        return self


def _given_number(written: object) -> object:
    return None if written == AUTO else written


class TrainedVersion(_Part):
    """One version to train.

    Attributes:
        version: Its number; ``auto``, or left out, is chosen by what changed since the newest version.
        family: Kind of model.
        parameters: Hyperparameters that are fixed.
        search: Hyperparameters that are looked for; None trains with ``parameters`` alone.
        calibration: Correct the probabilities of labels by cross-fitting on the training rows: ``sigmoid`` (Platt)
            for few rows, ``isotonic`` for thousands.
        gates: Limits of test metrics; over those of the whole run.
        variants: Smaller and faster forms to try; the first that loses little enough is served.
    """

    version: Annotated[Version | None, BeforeValidator(_given_number)] = None
    family: FamilyName
    parameters: dict[str, str | int | float | bool | None] = {}
    search: Search | None = None
    calibration: Literal["sigmoid", "isotonic"] | None = None
    gates: Gates = {}
    variants: tuple[Variant, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> TrainedVersion:
        if self.calibration and self.search and self.search.early_stopping:
            raise ValueError("early_stopping follows one fit round by round; calibration makes five")
        return self


def _known_model_name(name: object) -> object:
    try:
        return model_version.model_name(str(name))
    except InvalidVersion as error:
        raise ValueError(str(error)) from error


class TrainingConfig(_Part):
    """A training document.

    Attributes:
        model: Registered model name.
        source: Where the rows come from.
        expectations: What the rows must be like; else nothing is trained.
        target: What is predicted.
        cleaning: Rows that are left out.
        features: From which columns, and how.
        split: Shares of train, validation and test.
        decision: From which probability on the positive label of two is returned.
        metrics: Metrics of your own by name: the import path of a function of true labels or values, returned ones
            and scores; larger is better.
        risk_tier: How much harm a wrong answer may do; a model of high risk is approved before it gets traffic.
        card: What the model card says in words.
        fairness: Categories or booleans whose groups are compared; for two labels.
        gates: Limits of test metrics that every version must keep, or nothing is packaged.
        transformers: Directory of a Python package, counted from where the command runs, that is shipped with
            every version; an endpoint file names functions of it.
        distributed: Train on several machines: ``true``, or how. Rows are then more than one process holds.
        versions: What to train, oldest first: the first becomes the champion.
    """

    model: Annotated[str, BeforeValidator(_known_model_name)]
    source: Source
    expectations: Expectations = Expectations()
    target: Target
    cleaning: Cleaning = Cleaning()
    features: Features = Features()
    split: Split = Split()
    decision: Decision = Decision()
    metrics: dict[str, ImportPath] = {}
    risk_tier: RiskTier | None = None
    card: Card = Card()
    fairness: tuple[str, ...] = ()
    gates: Gates = {}
    transformers: Path | None = None
    distributed: distributed_plan.Wanted = None
    versions: tuple[TrainedVersion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _versions_are_unique(self) -> TrainingConfig:
        numbers = [str(item.version) for item in self.versions if item.version is not None]
        if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
            raise ValueError(f"versions given twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _gates_are_of_metrics(self) -> TrainingConfig:
        known = (*get_args(MetricName), *self.metrics, *([COST] if self.decision.follows_costs else []))
        known += tuple(of_target(name, one) for one in self.target.columns for name in sorted(OF_QUANTITIES))
        named = {*self.gates, *(name for item in self.versions for name in item.gates)}
        if unknown := sorted(named - set(known)):
            raise ValueError(f"gates: {', '.join(unknown)} is no metric; known: {', '.join(known)}")
        if taken := sorted({*self.metrics} & {*get_args(MetricName), COST}):
            raise ValueError(f"metrics: {', '.join(taken)} has a meaning already; choose another name")
        return self

    @model_validator(mode="after")
    def _encodes_by_one_target(self) -> TrainingConfig:
        plans = (self.features.categories, *self.features.columns.values())
        if self.target.columns and any(
            isinstance(one, CategoryPlan) and one.encoding == "target" for one in plans
        ):
            raise ValueError("features: encoding: target needs one target column, and there are several")
        return self

    @model_validator(mode="after")
    def _can_be_distributed(self) -> TrainingConfig:
        if self.distributed and (problems := list(distributed_limits.problems(self))):
            raise ValueError("distributed: " + "; ".join(problems))
        return self

    @property
    def expected(self) -> Expectations:
        """What the rows must be like, with what the plans of features imply."""
        said = self.expectations.columns
        columns = {
            name: self.features.expectation(name, said.get(name, ColumnExpectation()))
            for name in {**said, **self.features.columns}
        }
        return self.expectations.model_copy(update={"columns": columns})


def read(file: Path) -> TrainingConfig:
    """Read a training document.

    Raises:
        InvalidDocument: It does not say what it must; each problem is told with its path and line.
    """
    return document.read(file, TrainingConfig)
