"""Import path of every version pool's Serve application."""

from pydantic import BaseModel, ConfigDict
from ray.serve import Application

from deployments.version_pool import VersionPoolDeployment


class VersionPoolArguments(BaseModel):
    """Arguments in the Serve config: which package, its digest, and where the keys are that may have signed it."""

    model_config = ConfigDict(extra="forbid")

    package_directory: str
    digest: str
    trusted_keys: str | None = None


# No postponed annotations in this module: Serve looks at the builder's annotation to parse the arguments.
def build(args: VersionPoolArguments) -> Application:
    """The application of one version's pool."""
    return VersionPoolDeployment.bind(args.package_directory, args.digest, args.trusted_keys)
