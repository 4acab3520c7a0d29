import inspect
import pickle

import pytest

from deployments.batch import errors
from deployments.contracts.errors import FieldProblem, RaygateError

EXAMPLES = {"str": "text", "int": 3, "tuple[str, ...]": ("a", "b")}
KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_survives_the_journey_between_processes(kind):
    assert issubclass(kind, RaygateError)
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    arguments = [
        EXAMPLES.get(parameter.annotation, (FieldProblem("input", "is empty"),)) for parameter in parameters
    ]
    error = kind(*arguments)
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (kind, str(error), vars(error))
