"""Fitting a network with PyTorch: AdamW, early stopping on held-out rows, the same weights for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weights (inputs, outputs) and biases (outputs,)."""


def fit(
    rows: NDArray[np.float32], target: NDArray[Any], outputs: int, parameters: Mapping[str, Any]
) -> tuple[list[Layer], int]:
    """Return the layers of a fitted network, and how many passes over the rows it took.

    Args:
        rows: (n, inputs).
        target: int64 (n,) positions of labels, or float32 (n, outputs) values.
        outputs: Labels or values.
        parameters: Those of ``NeuralNetworkClassifier``.

    Raises:
        ArithmeticError: The weights grew out of every bound: there is no network that could be used.
    """
    with _reproducible(parameters["random_state"]):
        inputs, wanted = torch.from_numpy(rows), torch.from_numpy(target)
        order = torch.randperm(len(rows))
        judges = round(len(rows) * parameters["held_out"])
        network = _network(rows.shape[1], outputs, parameters)
        loss = nn.CrossEntropyLoss() if target.dtype == np.int64 else nn.MSELoss()
        training = _Training(network, loss, parameters)
        passes = training.run(inputs, wanted, learn=order[judges:], judge=order[:judges])
    return [_layer(part) for part in network if isinstance(part, nn.Linear)], passes


class _Training:
    """One network while it learns."""

    def __init__(self, network: nn.Sequential, loss: nn.Module, parameters: Mapping[str, Any]) -> None:
        self._network, self._loss, self._parameters = network, loss, parameters
        self._optimizer = torch.optim.AdamW(
            network.parameters(), lr=parameters["learning_rate"], weight_decay=parameters["weight_decay"]
        )

    def run(self, inputs: Tensor, wanted: Tensor, learn: Tensor, judge: Tensor) -> int:
        """Learn from some rows until others see nothing better, and keep the best weights; return the passes."""
        best, kept, best_pass = float("inf"), None, 0
        for done in range(1, self._parameters["epochs"] + 1):
            self._pass(inputs[learn], wanted[learn])
            if not len(judge):
                continue
            found = self._judged(inputs[judge], wanted[judge])
            if found < best:
                best, best_pass = found, done
                kept = {name: value.clone() for name, value in self._network.state_dict().items()}
            elif done - best_pass >= self._parameters["patience"]:
                break
        if kept is not None:
            self._network.load_state_dict(kept)
        if (len(judge) and kept is None) or not self._is_finite():
            raise ArithmeticError(
                f"the network diverged within {done} passes: its loss is no finite number; "
                f"take less than learning_rate {self._parameters['learning_rate']:g}"
            )
        return done

    def _is_finite(self) -> bool:
        return all(bool(torch.isfinite(value).all()) for value in self._network.parameters())

    def _pass(self, inputs: Tensor, wanted: Tensor) -> None:
        self._network.train()
        for batch in torch.randperm(len(inputs)).split(self._parameters["batch_size"]):
            self._optimizer.zero_grad()
            self._loss(self._network(inputs[batch]), wanted[batch]).backward()
            self._optimizer.step()

    def _judged(self, inputs: Tensor, wanted: Tensor) -> float:
        self._network.eval()
        with torch.no_grad():
            return float(self._loss(self._network(inputs), wanted))


def _network(inputs: int, outputs: int, parameters: Mapping[str, Any]) -> nn.Sequential:
    parts: list[nn.Module] = []
    width = inputs
    for _ in range(parameters["layers"]):
        parts += [nn.Linear(width, parameters["width"]), nn.ReLU(), nn.Dropout(parameters["dropout"])]
        width = parameters["width"]
    return nn.Sequential(*parts, nn.Linear(width, outputs))


def _layer(part: nn.Linear) -> Layer:
    return part.weight.detach().numpy().T.copy(), part.bias.detach().numpy().copy()


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """One thread and a seed, with the process's own state put back.

    The order of a sum over several threads decides its last digits; and trials share the machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
