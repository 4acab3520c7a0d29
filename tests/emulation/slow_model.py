"""A model that is at work for long without needing the processor: pools import it from here."""

import time

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

VERSION = "1.9.0"
SECONDS = 0.2


class SlowModel(ClassifierMixin, BaseEstimator):
    """Predicts by age, after a while."""

    def fit(self, rows, labels):
        self.inner_ = LogisticRegression().fit(rows[["Age"]], labels)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, rows):
        time.sleep(SECONDS)
        return self.inner_.predict_proba(rows[["Age"]])

    def predict(self, rows):
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]
