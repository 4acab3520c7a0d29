"""Formulas and clipping in a graph."""

from __future__ import annotations

import ast
from typing import Any

from onnx import TensorProto
from skl2onnx.common.data_types import FloatTensorType

from deployments.runtime.transformers import formula_grammar
from deployments.runtime.transformers.formula import LARGEST

OPSET = 19
_OPERATORS = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow"}
_FUNCTIONS = {"log": "Log", "exp": "Exp", "sqrt": "Sqrt", "abs": "Abs", "min": "Min", "max": "Max"}


def formula_shapes(operator: Any) -> None:
    """One column comes out."""
    operator.outputs[0].type = FloatTensorType([operator.inputs[0].type.shape[0], 1])


def clipped_shapes(operator: Any) -> None:
    """As many columns come out as go in."""
    width = sum(entry.type.shape[1] for entry in operator.inputs)
    operator.outputs[0].type = FloatTensorType([operator.inputs[0].type.shape[0], width])


def convert_formula(scope: Any, operator: Any, container: Any) -> None:
    """``Formula``: the tree, node by node, in double precision as the pipeline has it."""
    formula = operator.raw_operator
    wide = _joined(scope, operator, container, TensorProto.DOUBLE)
    graph = _Graph(scope, container)
    computed = graph.value(formula.tree_, wide, formula.columns_)
    size = graph.node("Abs", [computed], version=13)
    too_large = graph.node("Greater", [size, graph.constant(LARGEST)], version=13)
    finite = graph.node("Where", [too_large, graph.constant(float("nan")), computed], version=16)
    container.add_node("Cast", [finite], [operator.outputs[0].full_name], op_version=OPSET, to=TensorProto.FLOAT)


def convert_clipped(scope: Any, operator: Any, container: Any) -> None:
    """``Clipped``: two comparisons, because those leave a null as it is."""
    clipped = operator.raw_operator
    numbers = _joined(scope, operator, container, TensorProto.FLOAT)
    graph = _Graph(scope, container)
    for comparison, ends in (("Less", clipped.low_), ("Greater", clipped.high_)):
        limit = graph.constant(*ends.tolist(), kind=TensorProto.FLOAT)
        outside = graph.node(comparison, [numbers, limit], version=13)
        numbers = graph.node("Where", [outside, limit, numbers], version=16)
    container.add_node("Identity", [numbers], [operator.outputs[0].full_name], op_version=OPSET)


def _joined(scope: Any, operator: Any, container: Any, kind: int) -> str:
    """All inputs as one tensor of a kind."""
    joined: str = operator.inputs[0].full_name
    if len(operator.inputs) > 1:
        joined = scope.get_unique_variable_name("joined")
        names = [entry.full_name for entry in operator.inputs]
        container.add_node("Concat", names, [joined], op_version=13, axis=1)
    cast: str = scope.get_unique_variable_name("cast")
    container.add_node("Cast", [joined], [cast], op_version=OPSET, to=kind)
    return cast


class _Graph:
    """Nodes and constants with names of their own."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def node(self, kind: str, inputs: list[str], version: int, **attributes: Any) -> str:
        name: str = self._scope.get_unique_variable_name(kind.lower())
        self._container.add_node(kind, inputs, [name], op_version=version, **attributes)
        return name

    def constant(self, *values: float, kind: int = TensorProto.DOUBLE) -> str:
        name: str = self._scope.get_unique_variable_name("constant")
        self._container.add_initializer(name, kind, [1, len(values)], list(values))
        return name

    def value(self, node: ast.expr, rows: str, columns: tuple[str, ...]) -> str:
        """Add what computes a node of a formula and return the name of its (n, 1) result."""
        if (column := formula_grammar.column_name(node)) is not None:
            index: str = self._scope.get_unique_variable_name("column")
            self._container.add_initializer(index, TensorProto.INT64, [1], [columns.index(column)])
            return self.node("Gather", [rows, index], version=13, axis=1)
        match node:
            case ast.Constant(value=int() | float() as number):
                return self.constant(float(number))
            case ast.UnaryOp(operand=operand):
                return self.node("Neg", [self.value(operand, rows, columns)], version=13)
            case ast.BinOp(left=left, op=operator, right=right):
                kind = _OPERATORS[formula_grammar.OPERATORS[type(operator)]]
                sides = [self.value(left, rows, columns), self.value(right, rows, columns)]
                return self.node(kind, sides, version=15 if kind == "Pow" else 14)
            case ast.Call(func=ast.Name(id=function), args=arguments):
                inputs = [self.value(argument, rows, columns) for argument in arguments]
                return self.node(_FUNCTIONS[function], inputs, version=13)
        raise NotImplementedError(ast.dump(node))
