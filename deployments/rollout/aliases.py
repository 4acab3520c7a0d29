"""What becomes of an endpoint whose stable version follows an alias of the registry. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from deployments.contracts.endpoint import ModelEndpoint, Role
from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout import policy as policies
from deployments.routing.slot_table import SlotTable


def followed_alias(document: ModelEndpoint) -> str | None:
    """The alias that an endpoint's stable version follows; None if its number is fixed."""
    return next(served.alias for served in document.spec.versions if served.role is Role.STABLE)


def renumbered(document: ModelEndpoint, number: Version) -> ModelEndpoint:
    """The endpoint with another number for its stable version, wherever the document has the old one.

    A candidate of that number is one no more: stable has its share of the split.

    Raises:
        InvalidDocument: What would come of it is no sound endpoint: a bandit is left with one arm, say.
    """
    old = document.spec.stable
    if number == old:
        return document
    plain = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    spec, traffic = plain["spec"], plain["spec"]["traffic"]
    spec["versions"] = [
        {**served, "version": str(number)} if served["role"] == Role.STABLE else served
        for served in spec["versions"]
        if served["version"] != str(number)
    ]
    weights = _moved(document.spec.weights, old, number)
    traffic["split"] = {str(version): weight for version, weight in weights.items()}
    for rule in traffic["rules"]:
        rule["version"] = str(number) if rule["version"] == str(old) else rule["version"]
    traffic["shadow"] = [shadow for shadow in traffic["shadow"] if shadow["version"] != str(number)]
    return sound(plain, f"{document.name} with {number} as its stable version")


def sound(plain: Mapping[str, object], source: str) -> ModelEndpoint:
    """The endpoint that a changed document is; copies of models are checked by nobody, and are read back later.

    Args:
        plain: The document as JSON would have it.
        source: What was changed, for errors.

    Raises:
        InvalidDocument: It is no sound endpoint.
    """
    try:
        return ModelEndpoint.model_validate(plain)
    except ValidationError as error:
        problems = tuple(
            FieldProblem(".".join(map(str, found["loc"])), str(found["msg"])) for found in error.errors()
        )
        raise InvalidDocument(source, problems) from error


def kept(document: ModelEndpoint, served: ModelEndpoint, stable: Version) -> ModelEndpoint:
    """An endpoint's file with the number that its alias has got meanwhile: the file says where it began.

    Args:
        document: As it is to be applied.
        served: That was last applied.
        stable: In force; a promotion makes another version stable before the document says so.
    """
    alias = followed_alias(document)
    if alias is None or alias != followed_alias(served) or document.spec.stable == stable:
        return document
    return renumbered(document, served.spec.stable)


def policy_of(document: ModelEndpoint, number: Version, epoch: int, before: TrafficPolicy) -> TrafficPolicy:
    """The policy under which a new stable version has what the last one had; other weights stay as they are.

    Args:
        document: With the new number.
        number: The new stable version.
        epoch: Of the new policy.
        before: In force; its weights may differ from the document's.
    """
    made = policies.from_document(document, epoch, before)
    shares = {version: 100 * share for version, share in SlotTable(before.slots).shares.items()}
    weights = _moved(shares, before.stable, number)
    gone = [version for version in weights if version not in made.versions]
    for version in gone:
        weights[number] += weights.pop(version)
    return made.model_copy(update={"slots": SlotTable(before.slots).reweighted(weights).runs})


def _moved(weights: dict[Version, float], old: Version, new: Version) -> dict[Version, float]:
    """Weights with one version's added to another's."""
    moved = dict(weights)
    moved[new] = moved.get(new, 0.0) + moved.pop(old, 0.0)
    return moved
