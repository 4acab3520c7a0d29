"""Features of a Feast feature store, as they were known at each row's moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from training.errors import SourceUnavailable
from training.sources.described import Described
from training.sources.table import Table
from training.sources.versioned import pin

if TYPE_CHECKING:
    import pandas as pd

MOMENT = "event_timestamp"
"""What Feast calls the column of moments."""


class FeastFeatures(Described):
    """Rows with entity keys, moments and the target, and beside each the features as of its moment.

    The join is point-in-time: no row sees a value that was not there yet. Needs ``raygate[feast]``.

    Attributes:
        repository: Directory with ``feature_store.yaml``.
        entities: Where the rows with keys, moments and target come from.
        moment: Their column of moments; it is no feature and is left out of what is read.
        features: ``view:feature`` each.
        service: A feature service that lists them instead.
    """

    kind: Literal["feast"]
    repository: str
    entities: Table
    moment: str = MOMENT
    features: tuple[str, ...] = ()
    service: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _names_features(self) -> Self:
        if bool(self.features) == bool(self.service):
            raise ValueError("name either features or the service that lists them")
        return self

    def pinned(self) -> Self:
        """Return the same with the version of the entities' table, if it has one.

        Raises:
            SourceUnavailable: There is no such version.
        """
        return self.model_copy(update={"entities": pin(self.entities)[0]})

    @property
    def data_version(self) -> str:
        """Version of the entities' table; a feature store has none."""
        return pin(self.entities)[1]

    def read(self) -> pd.DataFrame:
        """Return the rows in the order of the entities' table.

        Raises:
            SourceUnavailable: The entities cannot be read or have no moments, or the store refuses.
        """
        import pandas as pd

        rows = self.entities.read()
        if self.moment not in rows.columns:
            known = ", ".join(map(str, rows.columns))
            raise SourceUnavailable(
                "the entities of a feature store", f"have no column {self.moment}; they have {known}"
            )
        labelled = rows.drop(columns=self.moment)
        asked = labelled.copy()
        asked[MOMENT], asked[_POSITION] = pd.to_datetime(rows[self.moment], utc=True), range(len(rows))
        # Feast sorts, and its file store leaves out rows that it knows nothing of; a position it carries along.
        features = self._joined(asked).set_index(_POSITION).drop(columns=[*labelled.columns, MOMENT])
        return pd.concat([labelled, features.reindex(range(len(rows)))], axis=1)

    def _joined(self, asked: pd.DataFrame) -> pd.DataFrame:
        try:
            from feast import FeatureStore
        except ImportError as error:
            reason = "a feature store needs an extra: install raygate[feast]"
            raise SourceUnavailable(self.repository, reason) from error
        try:
            store = FeatureStore(repo_path=self.repository)
            wanted: Any = store.get_feature_service(self.service) if self.service else list(self.features)
            joined: pd.DataFrame = store.get_historical_features(entity_df=asked, features=wanted).to_df()
        except Exception as error:  # a store raises whatever its offline store's library likes
            raise SourceUnavailable(self.repository, " ".join(str(error).split())) from error
        return joined


_POSITION = "raygate_position"
