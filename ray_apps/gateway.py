"""Import path of the gateway's Serve application."""

from ray.serve import Application

from deployments.gateway.arguments import GatewayArguments
from deployments.gateway.replica import GatewayDeployment


# No postponed annotations in this module: Serve looks at the builder's annotation to parse the arguments.
def build(args: GatewayArguments) -> Application:
    """The gateway's application."""
    return GatewayDeployment.bind(args)
