"""What an endpoint file means on a cluster: pools with packages of the file store, and the Serve config."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import FieldProblem, InvalidDocument, PackageRejected
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.package import SCHEMA
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.rollout import capacity, document_check, policy, schema_check, serve_config
from deployments.rollout.serve_config import Platform, Pool, ServeConfig
from deployments.runtime import document as documents
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.signing_keys import KeyUnusable
from ray_apps import gateway_arguments
from ray_apps.settings import Settings

_WHOSE = "RAYGATE_TRUSTED_KEYS says whose packages are believed"


def serve_config_of(
    endpoint: Path, settings: Settings, platform: Platform, models: str, trusted_keys: str | None = None
) -> ServeConfig:
    """The Serve config of one endpoint file for another cluster.

    Args:
        endpoint: The endpoint file.
        settings: Its model store holds the packages, of which the digests are taken.
        platform: The cluster.
        models: Root of the file store as the cluster's pods see it.
        trusted_keys: Reference of the keys that may have signed a package, as those pods see them; None lets them
            ask for no signature.

    Raises:
        InvalidDocument: The file, or a version of it is not in the store, or not signed as the store asks for.
    """
    document = documents.read(endpoint, ModelEndpoint)
    store = ModelStore(settings.models, settings.signers)
    pools = [
        replace(
            pool,
            package_directory=f"{models}/{pool.name.model}/v{pool.name.version}",
            trusted_keys=trusted_keys,
        )
        for pool in pools_of(document, store, str(endpoint))
    ]
    gateway = GatewayConfig(endpoints=(policy.from_document(document, 1),))
    return serve_config.build(platform, capacity.kept_awake(pools, gateway.endpoints), gateway)


def local_platform(settings: Settings) -> Platform:
    """This machine, as the Serve config sees it."""
    return Platform(
        environment=settings.environment,
        host=settings.host,
        http_port=settings.http_port,
        metrics_port=settings.metrics_port,
        push_gateway=settings.push_gateway,
        gateway_replicas=settings.gateway_replicas,
        gateway=gateway_arguments.of(settings),
        monitoring=gateway_arguments.monitoring(settings),
    )


def pools_of(document: ModelEndpoint, models: ModelStore, source: str) -> list[Pool]:
    """The pools of an endpoint's versions, each with the digest of the package in the store.

    Raises:
        InvalidDocument: The store does not hold a version (names those that it holds), it is not signed as the
            store asks for, its transformers are not in it, or it refuses requests that stable accepts.
    """
    known = models.versions(document.spec.model)
    missing = tuple(
        FieldProblem(
            f"spec.versions[{position}].version",
            f"{document.spec.model} {served.version} is not in the model store {models.root}; "
            f"there: {', '.join(map(str, known)) or 'no version of it'}",
        )
        for position, served in enumerate(document.spec.versions)
        if served.version not in known
    )
    if missing:
        raise InvalidDocument(source, missing)
    digests = _digests(document, models, source)
    _check_transformers(document, models, source)
    _check_schemas(document, models, source)
    return [
        Pool(
            name=ModelVersion(document.spec.model, served.version),
            package_directory=str(models.find(document.spec.model, served.version)),
            digest=digest,
            scaling=served.scaling,
            resources=served.resources,
            documents=document.spec.documents,
            trusted_keys=models.trusted_keys,
        )
        for served, digest in zip(document.spec.versions, digests, strict=True)
    ]


def _digests(document: ModelEndpoint, models: ModelStore, source: str) -> list[str]:
    """Of the packages, as they were signed: what a pool is told to load is what somebody vouched for."""
    found, problems = [], []
    for position, served in enumerate(document.spec.versions):
        try:
            found.append(models.digest(document.spec.model, served.version))
        except (PackageRejected, KeyUnusable) as error:
            told = f"{document.spec.model} {served.version} is not served: {error}; {_WHOSE}"
            problems.append(FieldProblem(f"spec.versions[{position}].version", told))
    if problems:
        raise InvalidDocument(source, tuple(problems))
    return found


def _check_schemas(document: ModelEndpoint, models: ModelStore, source: str) -> None:
    """A candidate that refuses what stable accepts would fail its share of the callers."""
    spec = document.spec

    def schema_of(version: Version) -> FeatureSchema:
        return package.peek(models.find(spec.model, version), SCHEMA, FeatureSchema)

    stable = schema_of(spec.stable)
    problems = tuple(
        FieldProblem(
            f"spec.versions[{position}].version",
            f"{spec.model} {served.version} refuses requests that the stable version {spec.stable} accepts: "
            f"{told}; package it with a sample that says otherwise, or give it an endpoint of its own",
        )
        for position, served in enumerate(spec.versions)
        for told in schema_check.narrower(stable, schema_of(served.version))
    )
    if problems:
        raise InvalidDocument(source, problems)


def _check_transformers(document: ModelEndpoint, models: ModelStore, source: str) -> None:
    documents, model = document.spec.documents, document.spec.model
    if documents is None:
        return
    problems = tuple(
        problem
        for served in document.spec.versions
        for problem in document_check.check_transformers(
            documents, models.find(model, served.version), f"{model} {served.version}"
        )
    )
    if problems:
        raise InvalidDocument(source, problems)
