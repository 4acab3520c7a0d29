"""Reshaping a graph's inputs: from one tensor a column to one of all numbers and one of all texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper

from deployments.contracts.feature_schema import FeatureSchema
from deployments.runtime.compiled import NUMERIC_INPUT, SCORES_OUTPUT, TEXTUAL_INPUT


def reshape(
    graph: onnx.ModelProto, schema: FeatureSchema, order: Sequence[int], probabilities: bool
) -> onnx.ModelProto:
    """Return a graph with the inputs and the output that ``CompiledModel`` speaks of.

    skl2onnx concatenates the columns that go to one transformer. Where such a concatenation takes columns of one
    block, one Gather from the block replaces it; where they are the whole block in order, nothing remains.

    Args:
        graph: With one input of shape (n, 1) a feature, or already with the blocks.
        schema: The features, whose names are the inputs' names.
        order: Column of the graph's scores for each column that is wanted.
        probabilities: The scores are; a sum over many trees in float32 can be 1.0000008.
    """
    graph = onnx.ModelProto.FromString(graph.SerializeToString())
    body = graph.graph
    places = {feature.name: (NUMERIC_INPUT, position) for position, feature in enumerate(schema.numeric)}
    places |= {feature.name: (TEXTUAL_INPUT, position) for position, feature in enumerate(schema.textual)}
    widths = {NUMERIC_INPUT: len(schema.numeric), TEXTUAL_INPUT: len(schema.textual)}
    if {entry.name for entry in body.input} - widths.keys():
        _take_from_blocks(body, places, widths)
        del body.input[:]
        for name, kind in ((NUMERIC_INPUT, TensorProto.FLOAT), (TEXTUAL_INPUT, TensorProto.STRING)):
            if widths[name]:
                body.input.append(helper.make_tensor_value_info(name, kind, [None, widths[name]]))
    _name_scores(body, order, probabilities)
    onnx.checker.check_model(graph)
    return graph


def _take_from_blocks(body: Any, places: dict[str, tuple[str, int]], widths: dict[str, int]) -> None:
    kept: list[Any] = []
    renamed: dict[str, str] = {}
    gathers: dict[tuple[str, tuple[int, ...]], str] = {}

    def gathered(block: str, columns: tuple[int, ...]) -> str:
        if columns == tuple(range(widths[block])):
            return block
        if (block, columns) not in gathers:
            name = gathers[block, columns] = f"{block}_{'_'.join(map(str, columns))}"
            body.initializer.append(
                helper.make_tensor(f"{name}_columns", TensorProto.INT64, [len(columns)], columns)
            )
            kept.append(helper.make_node("Gather", [block, f"{name}_columns"], [name], axis=1))
        return gathers[block, columns]

    for node in body.node:
        taken = [places[name] for name in node.input if name in places]
        if node.op_type == "Concat" and len(taken) == len(node.input) and len({block for block, _ in taken}) == 1:
            renamed[node.output[0]] = gathered(taken[0][0], tuple(column for _, column in taken))
            continue
        for position, name in enumerate(node.input):
            if name in places:
                block, column = places[name]
                node.input[position] = gathered(block, (column,))
            elif name in renamed:
                node.input[position] = renamed[name]
        kept.append(node)
    del body.node[:]
    body.node.extend(kept)


def _name_scores(body: Any, order: Sequence[int], probabilities: bool) -> None:
    """Keep the scores as the only output; what led to the label alone is dead code that the runtime drops."""
    scores = body.output[-1].name
    kind = body.output[-1].type.tensor_type.elem_type
    if list(order) != list(range(len(order))):
        body.initializer.append(helper.make_tensor("score_order", TensorProto.INT64, [len(order)], list(order)))
        body.node.append(helper.make_node("Gather", [scores, "score_order"], ["ordered_scores"], axis=1))
        scores = "ordered_scores"
    if probabilities:
        for name, end in (("impossible", 0.0), ("certain", 1.0)):
            body.initializer.append(helper.make_tensor(name, kind, [], [end]))
        body.node.append(helper.make_node("Clip", [scores, "impossible", "certain"], [SCORES_OUTPUT]))
    else:
        body.node.append(helper.make_node("Identity", [scores], [SCORES_OUTPUT]))
    del body.output[:]
    body.output.append(helper.make_tensor_value_info(SCORES_OUTPUT, kind, [None, len(order)]))
