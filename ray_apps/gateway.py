"""Import path of the gateway's Serve application."""

from pydantic import BaseModel, ConfigDict
from ray.serve import Application

from deployments.gateway.replica import GatewayDeployment


class GatewayArguments(BaseModel):
    """Arguments in the Serve config; changing one restarts the gateway, so policies are not among them."""

    model_config = ConfigDict(extra="forbid")

    monitor_application: str = ""


# No postponed annotations in this module: Serve looks at the builder's annotation to parse the arguments.
def build(args: GatewayArguments) -> Application:
    """The gateway's application."""
    return GatewayDeployment.bind(monitor_application=args.monitor_application)
