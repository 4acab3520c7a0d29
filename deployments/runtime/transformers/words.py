"""Words of a free text, weighted by how much they tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from deployments.contracts.wire import Floats


class Words(TfidfVectorizer):  # type: ignore[misc]
    """``TfidfVectorizer`` for one column of a table: a missing text has no words."""

    def fit(self, rows: Any, target: Any = None) -> Self:
        """Learn the vocabulary and the weights."""
        super().fit(_texts(rows))
        return self

    def fit_transform(self, rows: Any, target: Any = None) -> Any:
        """Learn, and return a sparse (n, words)."""
        return super().fit_transform(_texts(rows))

    def transform(self, rows: Any) -> Any:
        """Return a sparse (n, words)."""
        return super().transform(_texts(rows))

    def on_arrays(self) -> Callable[[NDArray[Any]], Floats]:
        """What ``transform`` does to texts that need no check, as a dense array; a missing text is None."""
        analyze, vocabulary = self.build_analyzer(), self.vocabulary_
        weights = self.idf_ if self.use_idf else np.ones(len(vocabulary))
        order = {"l1": 1, "l2": 2}.get(self.norm)

        def dense(texts: NDArray[Any]) -> Floats:
            found = np.zeros((len(texts), len(vocabulary)))
            for row, text in zip(found, texts.ravel().tolist(), strict=True):
                counts = Counter(vocabulary[word] for word in analyze(text or "") if word in vocabulary)
                if counts:
                    places = list(counts)
                    occurs = np.array(list(counts.values()), dtype=np.float64)
                    frequency = np.minimum(occurs, 1) if self.binary else occurs
                    row[places] = (1 + np.log(frequency) if self.sublinear_tf else frequency) * weights[places]
                    row /= np.linalg.norm(row, order) if order else 1.0
            return found

        return dense

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The words."""
        names: NDArray[np.object_] = super().get_feature_names_out()
        return names


def _texts(rows: Any) -> Iterable[str]:
    texts = np.asarray(rows, dtype=object).ravel()
    return ["" if missing else str(text) for text, missing in zip(texts, pd.isna(texts), strict=True)]
