"""A replay as a job on a Ray of its own: ``python -m ray_apps.replay_job --model M --stable V --candidate V ...``.

What stays of it is how the answers compare. The answers themselves, in which personal data stands in clear, are
removed once they are compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from pydantic import TypeAdapter

from deployments.batch import places
from deployments.batch.errors import NothingToScore, OutputTaken
from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import Version
from deployments.rollout.analysis.replay import Replayed
from ray_apps import batch_score, replays
from ray_apps.job_log import JobLog
from ray_apps.replays import WantedReplay
from ray_apps.settings import PodSettings, Settings

MODULE = "ray_apps.replay_job"
OUTCOME = "_replayed.json"


@dataclass(frozen=True, slots=True)
class _Outcome:
    asked: WantedReplay
    replayed: Replayed


_DOCUMENT = TypeAdapter(_Outcome)


def command(asked: WantedReplay) -> list[str]:
    """The command line that carries a replay out."""
    return [
        *("python", "-m", MODULE),
        *("--name", asked.name, "--model", asked.model),
        *("--stable", str(asked.stable), "--candidate", str(asked.candidate)),
        *("--since", asked.since.isoformat(), "--until", asked.until.isoformat()),
        *("--output", asked.output),
    ]


def outcome(asked: WantedReplay) -> Replayed | None:
    """What came of a replay, by its output; None where it has not ended.

    Raises:
        OutputTaken: It is that of another replay.
        StorageUnreachable: It cannot be read.
    """
    output = places.place(asked.output, "output")
    content = output.get(OUTCOME)
    if content is None:
        return None
    found = _DOCUMENT.validate_json(content)
    if found.asked != asked:
        raise OutputTaken(output.shown, f"holds how {found.asked.candidate} compares in {found.asked.name}")
    return found.replayed


def discard_answers(asked: WantedReplay) -> None:
    """Remove everything that a replay wrote but what came of it.

    Raises:
        StorageUnreachable: The output cannot be listed, or refuses.
    """
    output = places.place(asked.output, "output")
    for file in output.files(""):
        if file != OUTCOME:
            output.delete(file)
            output.prune(file.rpartition("/")[0])


def replay(asked: WantedReplay, settings: Settings) -> Replayed:
    """Let the candidate answer, compare, and leave the comparison in the output; done again it is done once.

    Raises:
        RaygateError: What stops it; the same replay goes on from there.
    """
    replays.check(asked, settings)
    found = outcome(asked)
    if found is None:
        found = _replayed(asked, settings)
        output = places.place(asked.output, "output")
        with places.writing(output):
            output.put(OUTCOME, pa.py_buffer(_DOCUMENT.dump_json(_Outcome(asked, found))))
    discard_answers(asked)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the replay; the exit status is 0 if it is compared."""
    asked = WantedReplay(**vars(_parser().parse_args(arguments)))
    settings = PodSettings()
    log = JobLog("replay", settings.log_level)
    try:
        found = replay(asked, settings)
    except RaygateError as error:
        log.fail(error)
        return 1
    differ = f"{found.disagreements} of {found.rows} logged requests get another label by {asked.candidate}"
    log.tell(found.told or differ)
    return 0


def _replayed(asked: WantedReplay, settings: Settings) -> Replayed:
    try:
        batch_score.score(replays.batch_of(asked, settings), settings)
    except NothingToScore as error:
        return replays.of_nothing(error)
    return replays.compared(asked, settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Let a version answer what another one was asked, and compare.")
    parser.add_argument("--name", required=True, help="of the replay, for errors")
    parser.add_argument("--model", required=True, help="registered model of both versions")
    parser.add_argument(
        "--stable", required=True, type=Version.parse, help="whose logged answers are compared with"
    )
    parser.add_argument("--candidate", required=True, type=Version.parse, help="the version that answers")
    parser.add_argument(
        "--since", required=True, type=datetime.fromisoformat, help="requests of this moment and later"
    )
    parser.add_argument("--until", required=True, type=datetime.fromisoformat, help="requests before this moment")
    parser.add_argument("--output", required=True, help="directory or prefix, empty or of this very replay")
    return parser


if __name__ == "__main__":
    sys.exit(main())
