"""A document as data: sections of text, tables and plots, before it is Markdown or HTML."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """Rows of texts under a header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Plot:
    """A drawing.

    Attributes:
        title: What it shows.
        svg: The drawing itself.
    """

    title: str
    svg: str


@dataclass(frozen=True)
class Section:
    """A part of a document under a title; what is empty is not written."""

    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.text or self.tables or self.plots)
