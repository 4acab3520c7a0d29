"""One field of an expression transformer: what it may be, found out before anything runs, and its value."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.runtime.transformers import formula_grammar
from deployments.runtime.transformers.formula_grammar import COMPARISONS, OPERATORS, InvalidFormula, column_name

Kind = type[float] | type[bool] | type[str]
Value = float | int | bool | str | None

_WORDS: dict[Kind, str] = {float: "a number", bool: "true or false", str: "a text"}
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": math.pow,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "log": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "abs": abs,
    "min": min,
    "max": max,
}


@dataclass(slots=True)
class Typed:
    """What a name stands for.

    Attributes:
        kind: Of its values.
        nullable: Whether it may be null.
    """

    kind: Kind
    nullable: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions may name.

    Attributes:
        names: With their types.
        labels: Whose probabilities are known.
        finds: Another name is a field whose type follows from its use, and is noted among the names; otherwise it
            is refused.
    """

    names: dict[str, Typed] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    finds: bool = False

    def typed(self, text: str) -> tuple[ast.expr, Typed]:
        """The tree of an expression and what it gives.

        Raises:
            InvalidFormula: It is none, names what is not there, or takes one kind of value for another.
        """
        tree = formula_grammar.parse_decision(text)
        kind = self._kind(tree) or float
        return tree, Typed(kind, self._check(tree, kind, nullable=False))

    def tree_of(self, text: str, wanted: Typed) -> ast.expr:
        """The tree of an expression that is to give something.

        Raises:
            InvalidFormula: As by ``typed``, or it gives another kind.
        """
        tree = formula_grammar.parse_decision(text)
        self._check(tree, wanted.kind, wanted.nullable)
        return tree

    def _kind(self, node: ast.expr) -> Kind | None:
        """What a node gives as far as it shows by itself."""
        if (name := column_name(node)) is not None:
            return self.names[name].kind if name in self.names else None
        match node:
            case ast.Constant(value=bool()) | ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return bool
            case ast.Constant(value=str()):
                return str
            case ast.IfExp(body=one, orelse=other) | ast.Call(func=ast.Name(id="default"), args=[one, other]):
                return self._kind(one) or self._kind(other)
        return float

    def _check(self, node: ast.expr, wanted: Kind, nullable: bool) -> bool:
        """Whether a node may give null.

        Args:
            node: Of the tree.
            wanted: What it must give.
            nullable: Whether a null is of use where it stands.
        """
        if (name := column_name(node)) is not None:
            return self._look_up(name, wanted, nullable)
        found = self._kind(node) or wanted
        if found is not wanted:
            raise InvalidFormula(f"{ast.unparse(node)!r} is {_WORDS[found]}, and {_WORDS[wanted]} is needed")
        parts: list[tuple[ast.expr, Kind]]
        match node:
            case ast.Constant():
                return False
            case ast.Call(func=ast.Name(id="default"), args=[first, other]):
                may_be_null = self._check(first, wanted, nullable=True)
                return self._check(other, wanted, nullable) and may_be_null
            case ast.Call(func=ast.Name(id="probability"), args=[ast.Constant(value=label)]):
                if label not in self.labels:
                    raise InvalidFormula(f"the model has no label {label!r}; labels: {_listed(self.labels)}")
                return False
            case ast.IfExp(test=test, body=body, orelse=otherwise):
                parts = [(test, bool), (body, wanted), (otherwise, wanted)]
            case ast.Compare(left=left, comparators=[right]):
                compared = self._kind(left) or self._kind(right) or float
                parts = [(left, compared), (right, compared)]
            case _:
                parts = [(part, wanted) for part in _operation(node)[1]]
        from_parts = [self._check(part, kind, nullable) for part, kind in parts]
        return any(from_parts) or _is_partial(node)

    def _look_up(self, name: str, wanted: Kind, nullable: bool) -> bool:
        if name not in self.names and not self.finds:
            raise InvalidFormula(f"there is no {name!r}; there are {_listed(self.names)}")
        known = self.names.setdefault(name, Typed(wanted, True))
        if known.kind is not wanted:
            raise InvalidFormula(f"{name!r} is {_WORDS[known.kind]}, and {_WORDS[wanted]} is needed")
        if self.finds:
            known.nullable &= nullable
        return known.nullable


def evaluate(node: ast.expr, values: Mapping[str, Value], probabilities: Mapping[str, float]) -> Value:
    """The value of an expression that a scope has let through.

    What has no value (a division by zero, the logarithm of a negative number, anything with a null) is null.

    Args:
        node: Its tree.
        values: By name; what is not there is null.
        probabilities: By the label's text.
    """
    if (name := column_name(node)) is not None:
        return values.get(name)
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as constant):
            return constant
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            holds = evaluate(test, values, probabilities)
            return None if holds is None else evaluate(body if holds else otherwise, values, probabilities)
        case ast.Call(func=ast.Name(id="default"), args=[first, other]):
            given = evaluate(first, values, probabilities)
            return evaluate(other, values, probabilities) if given is None else given
        case ast.Call(func=ast.Name(id="probability"), args=[ast.Constant(value=str() as label)]):
            return probabilities[label]
    compute, parts = _operation(node)
    operands = [evaluate(part, values, probabilities) for part in parts]
    return None if None in operands else _computed(compute, operands)


def _computed(compute: Callable[..., Any], operands: list[Value]) -> Value:
    try:
        value: Value = compute(*operands)
    except (ArithmeticError, ValueError):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _operation(node: ast.expr) -> tuple[Callable[..., Any], list[ast.expr]]:
    """What is computed of which parts."""
    match node:
        case ast.BinOp(left=left, op=arithmetic, right=right):
            return _ARITHMETIC[OPERATORS[type(arithmetic)]], [left, right]
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return getattr(operator, COMPARISONS[type(comparison)]), [left, right]
        case ast.BoolOp(op=junction, values=values):
            together = all if isinstance(junction, ast.And) else any
            return lambda *held: together(held), values
        case ast.UnaryOp(op=sign, operand=operand):
            return operator.not_ if isinstance(sign, ast.Not) else operator.neg, [operand]
        case ast.Call(func=ast.Name(id=function), args=arguments):
            return _FUNCTIONS[function], arguments
    raise AssertionError("the grammar lets nothing else through")


def _is_partial(node: ast.expr) -> bool:
    """Whether a node may have no value although its parts have one."""
    match node:
        case ast.BinOp(op=ast.Div(), right=ast.Constant(value=divisor)):
            return divisor == 0
        case ast.BinOp(op=ast.Div() | ast.Pow()) | ast.Call(func=ast.Name(id="log" | "exp" | "sqrt")):
            return True
    return False


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
