"""Where load goes."""

from __future__ import annotations

from dataclasses import dataclass

AUTHORIZATION_VARIABLE = "RAYGATE_BENCH_AUTHORIZATION"
"""How a load generator learns of the credential: everybody can read a process's arguments."""


@dataclass(frozen=True, slots=True)
class Target:
    """A route under load.

    Attributes:
        url: What is posted to.
        authorization: Value of that header, or empty for none.
    """

    url: str
    authorization: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request besides those that the body needs."""
        return {"authorization": self.authorization} if self.authorization else {}

    @property
    def environment(self) -> dict[str, str]:
        """What a load generator's process needs to know."""
        return {AUTHORIZATION_VARIABLE: self.authorization}
