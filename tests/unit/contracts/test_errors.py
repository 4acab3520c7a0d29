import inspect
import pickle

import pytest

from deployments.contracts import errors
from deployments.contracts.errors import FieldProblem, RaygateError

EXAMPLES = {"str": "text", "int": 3, "float": 1.5, "tuple[str, ...]": ("a", "b")}


def example(kind: type[RaygateError]) -> RaygateError:
    """An error of a kind, its arguments made from their annotations."""
    arguments = []
    for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]:
        if "FieldProblem" in parameter.annotation:
            arguments.append((FieldProblem("features.Age", "is required", 3),))
        else:
            arguments.append(EXAMPLES[parameter.annotation])
    return kind(*arguments)


KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, RaygateError)]


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind is not RaygateError], ids=lambda kind: kind.__name__
)
def test_every_error_survives_the_journey_between_processes(kind):
    error = example(kind)
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is kind
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_a_problem_names_its_field_and_line():
    assert str(FieldProblem("spec.traffic", "is required", 7)) == "spec.traffic (line 7): is required"
