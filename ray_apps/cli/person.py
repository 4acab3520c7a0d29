"""Who gives the commands."""

from __future__ import annotations

import getpass
import socket


def at_this_machine() -> str:
    """The person, as the audit and a batch job name them: ``user@host``."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
