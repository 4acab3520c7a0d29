"""What a document says about features: which columns, and how each becomes numbers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from deployments.contracts.feature_schema import Feature, FeatureKind
from deployments.runtime.transformers import formula_grammar
from training.expectations import ColumnExpectation, ColumnKind

Share = Annotated[float, Field(ge=0, le=1)]
DatePart = Literal[
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "day_of_year",
    "weekday",
    "weekend",
    "hour",
    "minute",
    "elapsed_days",
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NumberPlan(_Part):
    """A number.

    Attributes:
        missing: What a null becomes; ``auto`` leaves nulls to families that take them, else it is the median.
        clip: Two quantiles of the training rows; what lies outside is drawn in to them.
        scale: ``auto`` is standard for families that need it, and none for others.
    """

    kind: Literal["number"] = "number"
    missing: Literal["auto", "median", "mean", "most_frequent", "zero"] = "auto"
    clip: tuple[Share, Share] | None = None
    scale: Literal["auto", "standard", "robust", "min_max", "none"] = "auto"

    @model_validator(mode="after")
    def _clips_in_order(self) -> Self:
        if self.clip is not None and self.clip[0] >= self.clip[1]:
            raise ValueError(f"clip {list(self.clip)} must be a lower and an upper quantile")
        return self


class CategoryPlan(_Part):
    """A category.

    Attributes:
        encoding: ``one_hot``: a column a category. ``ordinal``: positions in alphabetical order. ``target``: the
            mean of the target for the category, shrunk towards the mean of all (cross-fitted, so that no row sees
            its own target).
        rare_below: One-hot only: categories of a smaller share of the training rows, or of fewer rows, share one
            column.
    """

    kind: Literal["category"] = "category"
    encoding: Literal["one_hot", "ordinal", "target"] = "one_hot"
    rare_below: Share | Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _is_of_one_hot(self) -> Self:
        if self.rare_below is not None and self.encoding != "one_hot":
            raise ValueError(f"rare_below is for encoding: one_hot, not for {self.encoding}")
        return self


class TextPlan(_Part):
    """A free text, as TF-IDF weights of its words.

    Attributes:
        words: Most words (or runs of words) that are kept: the most frequent.
        longest_run: Runs of so many words count as a word, too.
        rarest: Fewest training rows that a word must be in.
    """

    kind: Literal["text"] = "text"
    words: int = Field(default=300, ge=1)
    longest_run: int = Field(default=1, ge=1, le=5)
    rarest: int = Field(default=2, ge=1)


class DatePlan(_Part):
    """A date, as numbers.

    Attributes:
        parts: Which.
    """

    kind: Literal["date"] = "date"
    parts: tuple[DatePart, ...] = Field(default=("year", "month", "day", "weekday"), min_length=1)


ColumnPlan = Annotated[NumberPlan | CategoryPlan | TextPlan | DatePlan, Field(discriminator="kind")]


class Selection(_Part):
    """Which of the columns that come out are kept; applied in this order.

    Attributes:
        correlation: Largest absolute correlation of two columns that are both kept.
        importance: So many columns, by their importance in a small forest.
        pca: So many principal components, or as many as explain this share of the variance.
    """

    correlation: Annotated[float, Field(gt=0, lt=1)] | None = None
    importance: Annotated[int, Field(ge=1)] | None = None
    pca: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] | None = None


def _formula(text: str) -> str:
    formula_grammar.parse(text)
    return text


class Features(_Part):
    """Which columns the model takes, and how each becomes numbers.

    Attributes:
        include: Only these, in this order; empty is all but the target.
        exclude: Never these.
        numbers: How numbers are treated, unless ``columns`` says otherwise.
        categories: How categories are.
        columns: How a column is treated, by its name.
        derived: Formula by name of the new feature, over columns that the model takes.
        selection: Which of the resulting columns are kept.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    numbers: NumberPlan = NumberPlan()
    categories: CategoryPlan = CategoryPlan()
    columns: dict[str, ColumnPlan] = {}
    derived: dict[str, Annotated[str, AfterValidator(_formula)]] = {}
    selection: Selection = Selection()

    def plan(
        self, feature: Feature, expected: ColumnKind | None
    ) -> NumberPlan | CategoryPlan | TextPlan | DatePlan:
        """How a feature becomes numbers.

        Raises:
            ValueError: The document has a plan for another kind of column.
        """
        if (said := self.columns.get(feature.name)) is not None:
            fits = FeatureKind.NUMBER if said.kind == "number" else _TEXTUAL[said.kind]
            if fits is FeatureKind.NUMBER and not feature.kind.is_numeric:
                raise ValueError(f"it holds texts, not numbers; plan it as one of {', '.join(_TEXTUAL)}")
            if fits is not FeatureKind.NUMBER and feature.kind.is_numeric:
                raise ValueError(f"it holds numbers, which are no {said.kind}")
            return said
        if expected == "date":
            return DatePlan()
        if feature.kind.is_numeric:
            return self.numbers
        return TextPlan() if feature.kind is FeatureKind.TEXT else self.categories

    def expectation(self, name: str, said: ColumnExpectation) -> ColumnExpectation:
        """What is expected of a column, with the kind that its plan implies."""
        plan = self.columns.get(name)
        if plan is None or said.kind is not None or plan.kind == "number":
            return said
        return said.model_copy(update={"kind": plan.kind})


_TEXTUAL = {"category": FeatureKind.CATEGORY, "text": FeatureKind.TEXT, "date": FeatureKind.TEXT}
