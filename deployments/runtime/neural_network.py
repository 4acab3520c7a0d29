"""Feed-forward networks with scikit-learn's interface: fitted with PyTorch, served without it.

A fitted network is its weights as arrays, so neither a pool nor a package's reader needs PyTorch. The import path
is frozen: packages name it.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from deployments.contracts.wire import Floats


class _NeuralNetwork(BaseEstimator):  # type: ignore[misc]
    """Fully connected layers with ReLU between them.

    Args:
        layers: Hidden layers.
        width: Units of each.
        dropout: Share of units that a training step leaves out.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        batch_size: Rows of a training step.
        epochs: Passes over the rows at most.
        patience: Passes without a better loss on held-out rows after which it stops; the best weights are kept.
        held_out: Share of the rows that judge when to stop.
        random_state: Of the weights, the batches and the held-out rows.
    """

    def __init__(
        self,
        layers: int = 2,
        width: int = 64,
        dropout: float = 0.1,
        learning_rate: float = 0.002,
        weight_decay: float = 0.01,
        batch_size: int = 128,
        epochs: int = 200,
        patience: int = 15,
        held_out: float = 0.15,
        random_state: int = 0,
    ) -> None:
        self.layers, self.width, self.dropout = layers, width, dropout
        self.learning_rate, self.weight_decay, self.batch_size = learning_rate, weight_decay, batch_size
        self.epochs, self.patience, self.held_out = epochs, patience, held_out
        self.random_state = random_state

    def _learn(self, rows: Any, target: NDArray[Any], outputs: int) -> None:
        from deployments.runtime import neural_network_fit  # PyTorch: only where a network is fitted

        inputs = np.asarray(rows, dtype=np.float32)
        self.n_features_in_ = inputs.shape[1]
        self.weights_, self.epochs_ = neural_network_fit.fit(inputs, target, outputs, self.get_params())

    def _outputs(self, rows: Any) -> NDArray[np.float32]:
        """The last layer's values, in the single precision of the compiled graph."""
        values = np.asarray(rows, dtype=np.float32)
        for position, (weights, biases) in enumerate(self.weights_):
            values = values @ weights + biases
            if position < len(self.weights_) - 1:
                values = np.maximum(values, 0)
        return values


class NeuralNetworkClassifier(ClassifierMixin, _NeuralNetwork):  # type: ignore[misc]
    """A network that tells probabilities of labels."""

    def fit(self, rows: Any, target: Any) -> Self:
        """Fit by cross-entropy on the positions of the labels in sorted order."""
        self.classes_, positions = np.unique(np.asarray(target), return_inverse=True)
        self._learn(rows, positions.astype(np.int64), len(self.classes_))
        return self

    def predict_proba(self, rows: Any) -> Floats:
        """Return (n, k) probabilities in the order of ``classes_``."""
        margins = self._outputs(rows).astype(np.float64)
        odds = np.exp(margins - margins.max(axis=1, keepdims=True))
        probabilities: Floats = odds / odds.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, rows: Any) -> NDArray[Any]:
        """Return the most probable label."""
        labels: NDArray[Any] = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return labels


class NeuralNetworkRegressor(RegressorMixin, _NeuralNetwork):  # type: ignore[misc]
    """A network that tells one quantity or several."""

    def fit(self, rows: Any, target: Any) -> Self:
        """Fit by the squared error of values of unit variance."""
        values = np.asarray(target, dtype=np.float64)
        table = values.reshape(len(values), -1)
        mean, scale = table.mean(axis=0), table.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        self._learn(rows, ((table - mean) / scale).astype(np.float32), table.shape[1])
        # The last layer answers in the target's own units: nothing is left to do at prediction.
        weights, biases = self.weights_[-1]
        self.weights_[-1] = ((weights * scale).astype(np.float32), (biases * scale + mean).astype(np.float32))
        self._is_single = values.ndim == 1
        return self

    def predict(self, rows: Any) -> Floats:
        """Return n values, or (n, k) if the target had k columns."""
        values = self._outputs(rows).astype(np.float64)
        return values[:, 0] if self._is_single else values
