"""A feature computed from others by a formula."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from deployments.contracts.wire import Floats
from deployments.runtime.transformers import formula_grammar

LARGEST = float(np.finfo(np.float32).max)

_FUNCTIONS: dict[str, Any] = {
    "log": np.log,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
}


class Formula(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """One new column from the columns that a formula names.

    What has no value (a division by zero, the logarithm of a negative number, anything with a null) is missing,
    and so is what is too large for float32, in which a graph computes on.

    Args:
        name: Of the new column.
        text: Such as ``Debt / (Income + 1)``; see ``formula_grammar``. The transformer takes exactly the columns
            that it names, in the order of their first use.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    def fit(self, rows: Any, target: Any = None) -> Self:
        """Read the formula.

        Raises:
            InvalidFormula: The text is none.
        """
        self.tree_ = formula_grammar.parse(self.text)
        self.columns_ = formula_grammar.columns(self.tree_)
        return self

    def transform(self, rows: Any) -> Floats:
        """Return float64 (n, 1)."""
        check_is_fitted(self, "tree_")
        return self.on_arrays()(np.asarray(rows, dtype=np.float64))

    def on_arrays(self) -> Callable[[Floats], Floats]:
        """What ``transform`` does to rows that need no check."""
        return self._computed

    def _computed(self, values: Floats) -> Floats:
        held = {name: values[:, position] for position, name in enumerate(self.columns_)}
        with np.errstate(all="ignore"):
            computed = np.broadcast_to(_evaluate(self.tree_, held), len(values))
            usable = np.abs(computed) <= LARGEST
        return np.where(usable, computed, np.nan).reshape(-1, 1)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The new column's name."""
        return np.array([self.name], dtype=object)


def _evaluate(node: ast.expr, held: dict[str, Floats]) -> Any:
    if (name := formula_grammar.column_name(node)) is not None:
        return held[name]
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, held)
        case ast.BinOp(left=left, op=operator, right=right):
            compute = getattr(np, formula_grammar.OPERATORS[type(operator)])
            return compute(_evaluate(left, held), _evaluate(right, held))
        case ast.Call(func=ast.Name(id=function), args=arguments):
            return _FUNCTIONS[function](*(_evaluate(argument, held) for argument in arguments))
    raise AssertionError("the grammar lets nothing else through")
