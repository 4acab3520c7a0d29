"""A document as Markdown, and as one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from training.documents.section import Section, Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328 }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #d0d7de }
table { border-collapse: collapse; margin: 1rem 0 } th, td { border: 1px solid #d0d7de; padding: .25rem .6rem }
th { background: #f6f8fa; text-align: left } figure { display: inline-block; margin: 1rem 1rem 0 0 }
figcaption { font-size: .85rem; color: #59636e }
"""


def markdown(title: str, sections: Sequence[Section]) -> str:
    """Return a document as Markdown; plots are left to HTML, the tables hold what they show."""
    lines = [f"# {title}", ""]
    for section in sections:
        if section.is_empty or not (section.text or section.tables):
            continue
        lines += [f"## {section.title}", ""]
        if section.text:
            lines += [section.text, ""]
        for table in section.tables:
            lines += [*_markdown_table(table), ""]
    return "\n".join(lines)


def html(title: str, sections: Sequence[Section]) -> str:
    """Return a document as one HTML file with its plots inside."""
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>",
    ]
    for section in sections:
        if section.is_empty:
            continue
        parts.append(f"<h2>{escape(section.title)}</h2>")
        parts += [f"<p>{escape(paragraph)}</p>" for paragraph in section.text.split("\n\n") if paragraph]
        parts += [_html_table(table) for table in section.tables]
        parts += [
            f"<figure>{plot.svg}<figcaption>{escape(plot.title)}</figcaption></figure>" for plot in section.plots
        ]
    return "\n".join([*parts, "</html>"])


def _markdown_table(table: Table) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', '&#124;').replace(chr(10), ' ') for cell in cells)} |"

    return [line(table.header), line(["---"] * len(table.header)), *(line(row) for row in table.rows)]


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"<table><tr>{head}</tr>{body}</table>"
