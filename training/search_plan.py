"""What a document says about the search for hyperparameters."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.metric_name import MetricName
from training.search_space import Space


class EarlyStopping(BaseModel):
    """Trials that are behind end early (asynchronous successive halving, Li et al. 2018).

    After ``first`` rounds only the best of every ``factor`` trials may go on, then again after ``first * factor``
    rounds, and so on. For families that grow round by round. The model is then fitted with as many rounds as the
    best of all reports had: no other was measured.

    Attributes:
        first: Boosting rounds that every trial gets.
        factor: One of so many goes on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(default=20, ge=1)
    factor: int = Field(default=3, ge=2)


class Search(BaseModel):
    """How hyperparameters are looked for.

    Attributes:
        algorithm: ``optuna`` (tree-structured Parzen estimator), ``random`` or ``grid``.
        trials: Parameter sets to try; ``grid`` tries all and ignores it.
        metric: What is optimised; by default ROC-AUC of labels, the root mean squared error of a quantity.
        space: Range of each hyperparameter.
        folds: Judge by cross-validation over the training rows in so many folds; 0 judges on the validation rows.
        early_stopping: End trials that are behind; not with folds.
        parallel: Trials at once; each takes ``cpus`` of the cluster. Two by default, one with early stopping:
            which of several trials is behind depends on which of them was faster, so that a second search may
            find something else.
        cpus: CPUs a trial reserves.
        attempts: A trial whose worker dies is tried so many times.
        seed: Of the sampler.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: Literal["optuna", "random", "grid"] = "optuna"
    trials: int = Field(8, ge=1, le=10_000)
    metric: MetricName | None = None
    space: Space = Field(min_length=1)
    folds: int = Field(0, ge=0, le=20)
    early_stopping: EarlyStopping | None = None
    parallel: int | None = Field(None, ge=1)
    cpus: float = Field(1, gt=0)
    attempts: int = Field(3, ge=1)
    seed: int = 42

    @property
    def at_once(self) -> int:
        """How many trials run at once."""
        return self.parallel or (1 if self.early_stopping else 2)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.folds == 1:
            raise ValueError("folds: 1 leaves nothing to judge on; 0 uses the validation rows")
        if self.folds and self.early_stopping is not None:
            raise ValueError("early_stopping follows one fit round by round; it does not go with folds")
        if self.algorithm == "grid":
            for name, item in self.space.items():
                try:
                    item.grid()
                except ValueError as error:
                    raise ValueError(f"space.{name}: {error}") from error
        return self
