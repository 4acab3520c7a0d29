"""A model as nobody should ship it: pools import it from here."""

import os
import time

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

RAISES_AT, HANGS_AT, SLOW_AT, DIES_AT = 77, 88, 66, 99
HANGS_SECONDS, SLOW_SECONDS = 600, 0.6


class MisbehavingModel(ClassifierMixin, BaseEstimator):
    """Predicts by age; for some ages it raises, hangs, is slow, or ends its process."""

    def fit(self, rows, labels):
        self.inner_ = LogisticRegression().fit(rows[["Age"]], labels)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, rows):
        if (rows["Age"] == RAISES_AT).any():
            raise RuntimeError("not this age")
        if (rows["Age"] == HANGS_AT).any():
            time.sleep(HANGS_SECONDS)
        if (rows["Age"] == DIES_AT).any():
            os._exit(1)
        if (rows["Age"] == SLOW_AT).any():
            time.sleep(SLOW_SECONDS)
        return self.inner_.predict_proba(rows[["Age"]])

    def predict(self, rows):
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]
