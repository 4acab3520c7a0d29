"""What every gateway counted, added up, however often gateways restart.

Gateways send cumulative figures, so only the latest snapshot of each incarnation matters: a lost message is
made good by the next one, and a monitor that restarts is complete as soon as each gateway has spoken once.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace

from deployments.contracts.distributions import Distributions, PackageKey
from deployments.contracts.snapshot import GatewaySnapshot
from monitoring.totals import Totals

FIRST_SEQUENCE = 1
"""A gateway whose first snapshot that is heard has a higher one has counted before."""
LIVE_WITHIN_SECONDS = 5.0
"""A gateway that was heard of more recently than this is counted as live: it sends about once a second."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How much the window remembers of gateways that no longer speak.

    Attributes:
        silent_seconds: An incarnation that was silent for longer is folded into the base.
        incarnations: At most this many are kept one by one; beyond it the longest silent are folded.
        folded_names: Names of folded incarnations that are remembered, so that one that speaks again is not
            counted twice.
    """

    silent_seconds: float = 3600.0
    incarnations: int = 500
    folded_names: int = 5000


@dataclass(frozen=True, slots=True)
class Heard:
    """The latest snapshot of one gateway incarnation.

    Attributes:
        snapshot: As it was sent.
        at: When it arrived, seconds on the monitor's clock; gateways' clocks may differ.
        before: What the incarnation had counted on reference bins before anybody listened.
    """

    snapshot: GatewaySnapshot
    at: float
    before: Mapping[PackageKey, Distributions] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """An immutable state: a reader on another thread holds one and is never in the middle of a change.

    Attributes:
        latest: By gateway incarnation.
        base: What folded incarnations counted.
        folded: Their names, oldest first.
        retention: What is kept for how long.
        base_observed: What folded incarnations counted on reference bins while it was listened to them.
        first_heard: When any gateway first spoke, on the monitor's clock; None: none has.
    """

    latest: Mapping[str, Heard] = field(default_factory=dict)
    base: Totals = field(default_factory=Totals)
    folded: tuple[str, ...] = ()
    retention: Retention = Retention()
    base_observed: Mapping[PackageKey, Distributions] = field(default_factory=dict)
    first_heard: float | None = None

    def after(self, snapshot: GatewaySnapshot, now: float) -> Window:
        """The window once a snapshot has arrived at ``now`` (seconds, monotonic).

        One that is not newer than what the incarnation sent before is ignored: messages overtake each other. A
        folded incarnation that speaks again is counted from here on; what it counted while silent is lost,
        which is better than counting twice.
        """
        known = self.latest.get(snapshot.gateway)
        if known is not None and snapshot.sequence <= known.snapshot.sequence:
            return self
        base, folded = self.base, self.folded
        if known is None and snapshot.gateway in folded:
            base = deepcopy(base)
            base.add(snapshot, sign=-1)
            folded = tuple(name for name in folded if name != snapshot.gateway)
        if known is not None:
            before = known.before
        else:
            before = _copied(snapshot.distributions) if snapshot.sequence > FIRST_SEQUENCE else {}
        latest = {**self.latest, snapshot.gateway: Heard(snapshot, now, before)}
        first_heard = now if self.first_heard is None else self.first_heard
        grown = replace(self, latest=latest, base=base, folded=folded, first_heard=first_heard)
        return grown._with_silent_folded(now)

    def totals(self) -> Totals:
        """Figures of all gateways that ever spoke; none ever goes down."""
        summed = deepcopy(self.base)
        for heard in self.latest.values():
            summed.add(heard.snapshot)
        return summed

    def observed(self) -> dict[PackageKey, Distributions]:
        """Rows on reference bins that were counted since the monitor listens; none ever goes down.

        A monitor that restarts hears of a gateway's whole life at once. In a sliding window that would be a burst
        of old rows, so what was counted before the first snapshot is left out here (and only here).
        """
        summed = _copied(self.base_observed)
        for heard in self.latest.values():
            _add_observed(summed, heard)
        return summed

    def live(self, now: float, within: float = LIVE_WITHIN_SECONDS) -> tuple[Heard, ...]:
        """Gateways heard of in the last ``within`` seconds, by name."""
        return tuple(heard for _, heard in sorted(self.latest.items()) if now - heard.at <= within)

    def age(self, now: float) -> float | None:
        """Seconds since any gateway spoke; None when none has."""
        return min((now - heard.at for heard in self.latest.values()), default=None)

    def _with_silent_folded(self, now: float) -> Window:
        keep = self.retention
        by_silence = sorted(self.latest.items(), key=lambda item: item[1].at)
        excess = max(0, len(by_silence) - keep.incarnations)
        leaving = {
            name: heard
            for position, (name, heard) in enumerate(by_silence)
            if position < excess or now - heard.at > keep.silent_seconds
        }
        if not leaving:
            return self
        base = deepcopy(self.base)
        base_observed = _copied(self.base_observed)
        for heard in leaving.values():
            base.add(heard.snapshot)
            _add_observed(base_observed, heard)
        staying = {name: heard for name, heard in self.latest.items() if name not in leaving}
        folded = (*self.folded, *leaving)[-keep.folded_names :]
        return replace(self, latest=staying, base=base, folded=folded, base_observed=base_observed)


def _copied(observed: Mapping[PackageKey, Distributions]) -> dict[PackageKey, Distributions]:
    return {key: distributions.copy() for key, distributions in observed.items()}


def _add_observed(summed: dict[PackageKey, Distributions], heard: Heard) -> None:
    for key, distributions in heard.snapshot.distributions.items():
        own = summed.setdefault(key, Distributions())
        own.add(distributions)
        if key in heard.before:
            own.add(heard.before[key], sign=-1)
