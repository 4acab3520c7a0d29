"""``docs/benchmarks.md``: every command writes its own part, and people write theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BY_HAND = "kept by hand"
SECTIONS = {
    "make bench": "Throughput and latency",
    "make bench-cost": "What authentication and the prediction log cost",
    "make bench-shedding": "More load than there is capacity",
    "make bench-soak": "Memory over time",
    "make bench-monitor": "What monitoring costs",
    "make bench-train": "A search for hyperparameters beside a plain loop",
    "make bench-distributed": "Memory of distributed training",
    "make bench-stream": "Records of a Kafka topic",
    BY_HAND: "Where the time goes",
}
"""Who writes a part, and its heading, in the page's order."""
_INTRODUCTION = """# Benchmarks

Every part is written by the command that it names; run the command to get the figures of your machine. Edit
nothing here but *Where the time goes*, which all of them keep.

For users instead of figures there is a locust scenario (`tests/performance/locustfile.py`), against a stack that
is up: `.venv/bin/locust -f tests/performance/locustfile.py --host http://127.0.0.1:8000`.
"""


def written(page: str, author: str, text: str) -> str:
    """The page with one part replaced and all others kept.

    Args:
        page: The page as it is, or empty.
        author: Whose part: a key of ``SECTIONS``.
        text: The part without its heading.
    """
    parts = {name: _part(page, name) for name in SECTIONS}
    return _whole({**parts, author: text})


def write(path: Path, author: str, text: str) -> None:
    """Replace one part of a page, all at once; see ``written``."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    new = path.with_name(f"{path.name}.new")
    new.write_text(written(before, author, text), encoding="utf-8")
    new.replace(path)


def replace(path: Path, author: str, text: str) -> None:
    """Replace one part of a page that people write, all at once.

    Raises:
        ValueError: The page has no place for it.
    """
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(_begin(author))
    _, end, after = rest.partition(_end(author))
    if not (begin and end):
        raise ValueError(f"{path} has no lines {_begin(author)} and {_end(author)}")
    new = path.with_name(f"{path.name}.new")
    new.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")
    new.replace(path)


def _whole(parts: Mapping[str, str]) -> str:
    sections = [
        f"## {heading}\n\n{_begin(author)}\n{parts[author].strip() or _missing(author)}\n{_end(author)}\n"
        for author, heading in SECTIONS.items()
    ]
    return "\n".join([_INTRODUCTION, *sections])


def _part(page: str, author: str) -> str:
    _, begin, rest = page.partition(_begin(author))
    text, end, _ = rest.partition(_end(author))
    return text if begin and end and text.strip() != _missing(author) else ""


def _missing(author: str) -> str:
    return "Not written yet." if author == BY_HAND else f"Not measured yet: `{author}`."


def _begin(author: str) -> str:
    return f"<!-- {author}: begin -->"


def _end(author: str) -> str:
    return f"<!-- {author}: end -->"
