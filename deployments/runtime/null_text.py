"""How a missing text is written in a tensor of strings, which knows no null."""

from __future__ import annotations

# A character of Unicode's private use area: no keyboard and no data set writes it. A caller who sends it on
# purpose gets the answer for null.
NULL_TEXT = "\ue000null"
