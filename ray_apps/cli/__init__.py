"""The command line: ``raygate``."""


def main() -> None:
    """Entry point of the console script."""
    from ray_apps.cli.commands import app
    from ray_apps.cli.console import run

    run(app)
