"""``raygate crd``: the CustomResourceDefinition of ModelEndpoint, printed."""

from __future__ import annotations

import typer


def crd() -> None:
    """Print the CRD of ModelEndpoint, for `kubectl apply -f -`."""
    from deployments.contracts import crd as definitions
    from deployments.rollout import rayservice

    typer.echo("# Made by `make manifests` from the models of deployments/contracts; not edited by hand.")
    typer.echo(rayservice.to_yaml(definitions.definition()), nl=False)
