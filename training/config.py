"""What a training run is told: data, target, and the versions to train from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from deployments.contracts import model_version
from deployments.contracts.errors import InvalidVersion
from deployments.contracts.model_version import Version
from deployments.runtime import document
from training import families
from training.metric_name import MetricName
from training.search_space import Space
from training.sources import Source


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Part):
    """The column to predict.

    Attributes:
        column: Its name.
        positive: Of two labels, the one whose probability the model is about.
    """

    column: str
    positive: str | int | bool | None = None


class Features(_Part):
    """Which columns the model takes; all but the target unless said otherwise.

    Attributes:
        include: Only these, in this order; empty is all.
        exclude: Never these.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Split(_Part):
    """Shares of the rows; they must sum to 1.

    Attributes:
        train: The model and the reference profile come from these.
        validation: Search, parity and the reference scores come from these.
        test: The reported metrics come from these, and nothing else does.
        seed: Of the shuffle.
        stratify: Keep the shares of the labels in each part; not for a regression.
    """

    train: float = Field(0.7, gt=0, lt=1)
    validation: float = Field(0.15, gt=0, lt=1)
    test: float = Field(0.15, gt=0, lt=1)
    seed: int = 42
    stratify: bool = True

    @model_validator(mode="after")
    def _is_whole(self) -> Split:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test sum to {total:g}, not to 1")
        return self


class Search(_Part):
    """How hyperparameters are looked for, on the validation split.

    Attributes:
        algorithm: ``optuna`` (tree-structured Parzen estimator), ``random`` or ``grid``.
        trials: Parameter sets to try; ``grid`` tries all and ignores it.
        metric: What is optimised.
        space: Range of each hyperparameter.
        parallel: Trials at once; each takes ``cpus`` of the cluster.
        cpus: CPUs a trial reserves.
        seed: Of the sampler.
    """

    algorithm: Literal["optuna", "random", "grid"] = "optuna"
    trials: int = Field(8, ge=1, le=10_000)
    metric: MetricName = "roc_auc"
    space: Space
    parallel: int = Field(2, ge=1)
    cpus: float = Field(1, gt=0)
    seed: int = 42


def _known_family(name: object) -> object:
    if name not in families.names():
        raise ValueError(f"{name!r} is not a model family; known: {', '.join(families.names())}")
    return name


class TrainedVersion(_Part):
    """One version to train.

    Attributes:
        version: Its number.
        family: Kind of model.
        parameters: Hyperparameters that are fixed.
        search: Hyperparameters that are looked for; None trains with ``parameters`` alone.
        gates: Least value of a test metric (largest, for log_loss and brier); over those of the whole run.
    """

    version: Version
    family: Annotated[str, BeforeValidator(_known_family)]
    parameters: dict[str, str | int | float | bool | None] = {}
    search: Search | None = None
    gates: dict[MetricName, float] = {}


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
        target: What is predicted.
        features: From which columns.
        split: Shares of train, validation and test.
        gates: Limits of test metrics that every version must keep, or nothing is packaged.
        versions: What to train, oldest first: the first becomes the champion.
    """

    model: Annotated[str, BeforeValidator(_known_model_name)]
    source: Source
    target: Target
    features: Features = Features()
    split: Split = Split()
    gates: dict[MetricName, float] = {}
    versions: tuple[TrainedVersion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _versions_are_unique(self) -> TrainingConfig:
        numbers = [str(item.version) for item in self.versions]
        if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
            raise ValueError(f"versions given twice: {', '.join(twice)}")
        return self


def read(file: Path) -> TrainingConfig:
    """Read a training document.

    Raises:
        InvalidDocument: It does not say what it must; each problem is told with its path and line.
    """
    return document.read(file, TrainingConfig)
