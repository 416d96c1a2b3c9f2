"""The engine's sentences as a panel's user can follow them: who clicks has no command line."""

from __future__ import annotations

from typing import Any

_WORDS = (
    ("; add to it with “fewshotsegment library add”.", "; add a segment to it first."),
    ("; choose one with --series UID: ", "; load the one you want as a volume and add that: "),
    (", or allow it with --force.", "."),
    ("; use --force to replace it, or give another name.", "; give another name."),
    ("choose another --name", "choose another name"),
    (
        ": neither a folder with weights.json, nor a name that “fewshotsegment finetune --list” shows.",
        "; choose others.",
    ),
    (
        "; with complete drawings (--complete) the slices beyond judge too.",
        "; of segments whose status is completed, the slices beyond judge too.",
    ),
    ("; try a lower --learning-rate.", "; correct more slices and try again."),
    ("; leave out --axis.", "; draw it on one kind of slices only."),
    ("; keep one, or choose with --axis.", "; erase one of them."),
)
"""(what the engine says, what a panel says instead)."""


def for_panel(sentence: str) -> str:
    """A sentence without what can be done at a command line only."""
    for words, instead in _WORDS:
        sentence = sentence.replace(words, instead)
    return sentence


def with_panel_notes(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer whose notes, if there are any, are for a panel."""
    return {**answer, "notes": [for_panel(note) for note in answer["notes"]]} if "notes" in answer else answer
