"""Calling `fewshotsegment transfer`, for its tests."""

from FewShotSegmentLib.cli.main import main

TERM = "TerminologyEntry:Segmentation category and type~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~^^|"


def transfer(*arguments):
    return main(["transfer", *(str(a) for a in arguments)])


def library(*arguments):
    assert main(["library", *(str(a) for a in arguments)]) == 0


def code_of(*arguments):
    try:
        return transfer(*arguments)
    except SystemExit as end:  # argparse's way
        return end.code


def tree(folder):
    """All that is in a folder, folders too."""
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


CT = ("--modality", "ct", "--support-modality", "ct")
