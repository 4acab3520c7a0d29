"""The language of derived features: arithmetic on columns, and nothing else; with decisions for transformers.

Python's own parser reads the text, a whitelist of nodes decides what it may be, and nothing is ever evaluated by
Python: whoever computes a formula walks the tree.
"""

from __future__ import annotations

import ast
import math

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
}
FUNCTIONS = {"log": 1, "exp": 1, "sqrt": 1, "abs": 1, "min": 2, "max": 2}
"""Functions by name, with the number of their arguments."""
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}
DEEPEST = 50
LONGEST = 1000
_SAID = (
    f"numbers, columns, + - * / **, parentheses and {', '.join(FUNCTIONS)}; "
    "a name with blanks is column('Lot Area')"
)
_SAID_OF_DECISIONS = (
    f"{_SAID}; texts in quotes, True, False, one of < <= > >= == != between two, and, or, not, a if b else c, "
    "default(a, b) and probability('label')"
)


class InvalidFormula(ValueError):
    """A text is no formula; the message says where."""


def parse(text: str) -> ast.expr:
    """Return the tree of a formula such as ``Debt / (Income + 1)``.

    Raises:
        InvalidFormula: It is anything else than arithmetic on columns.
    """
    tree = _read(text, decides=False)
    if not columns(tree):
        raise InvalidFormula(f"{text!r} names no column")
    return tree


def parse_decision(text: str) -> ast.expr:
    """Return the tree of an expression such as ``'yes' if probability >= 0.65 else 'no'``.

    It may hold what no graph is made of: texts, truth values, comparisons, ``and``, ``or``, ``not``, a choice,
    ``default`` for a null and the ``probability`` of a label.

    Raises:
        InvalidFormula: It is anything else than these and arithmetic.
    """
    return _read(text, decides=True)


def columns(tree: ast.expr) -> tuple[str, ...]:
    """Names of the columns of a formula, each once, in the order of their first use."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    names = [name for node in nodes if (name := column_name(node)) is not None]
    return tuple(dict.fromkeys(names))


def column_name(node: ast.AST) -> str | None:
    """The column that a node stands for: ``Income`` or ``column('Lot Area')``."""
    if isinstance(node, ast.Name) and node.id not in FUNCTIONS and node.id != "column":
        return node.id
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "column":
        argument = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            return argument.value
    return None


def _read(text: str, decides: bool) -> ast.expr:
    said = _SAID_OF_DECISIONS if decides else _SAID
    if len(text) > LONGEST:
        raise InvalidFormula(f"a formula has at most {LONGEST} characters, not {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidFormula(f"{text!r} is no formula; write {said}") from error
    _check(tree, text, 0, decides)
    return tree


def _check(node: ast.expr, text: str, depth: int, decides: bool) -> None:
    if depth > DEEPEST:
        raise InvalidFormula(f"{text!r} is nested more than {DEEPEST} deep")
    if column_name(node) is not None:
        return
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number) if abs(number) < 1e300 and math.isfinite(number):
            return
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            _check(left, text, depth + 1, decides)
            _check(right, text, depth + 1, decides)
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text, depth + 1, decides)
            return
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            if len(arguments) != FUNCTIONS[name]:
                raise InvalidFormula(f"{text!r}: {name} takes {FUNCTIONS[name]} arguments, not {len(arguments)}")
            for argument in arguments:
                _check(argument, text, depth + 1, decides)
            return
    parts = _parts_of_decision(node) if decides else None
    if parts is None:
        said = _SAID_OF_DECISIONS if decides else _SAID
        raise InvalidFormula(f"{text!r}: {ast.unparse(node)!r} is not allowed; write {said}")
    for part in parts:
        _check(part, text, depth + 1, decides)


def _parts_of_decision(node: ast.expr) -> list[ast.expr] | None:
    """What is decided on, or None if the node decides nothing."""
    match node:
        case ast.Constant(value=bool() | str()):
            return []
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in COMPARISONS:
            return [left, right]
        case ast.BoolOp(values=values):
            return values
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return [operand]
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            return [test, body, otherwise]
        case ast.Call(func=ast.Name(id="default"), args=[first, other], keywords=[]):
            return [first, other]
        case ast.Call(func=ast.Name(id="probability"), args=[ast.Constant(value=str())], keywords=[]):
            return []
    return None
