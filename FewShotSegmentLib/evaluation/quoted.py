"""Published figures, to stand beside ours: quoted, not measured here.

Every table names the paper or page whose table was read. Figures that are known only from memory or third hand are not
here. Papers differ in preprocessing, in folds and in what is scored, so a difference of a few points says little.
"""

from __future__ import annotations

from dataclasses import dataclass

MARK = "quoted, not measured here"
"""What stands beside every published figure."""

PROTOCOLS = ("published", "whole-volume")
"""Protocols beside whose results published figures are shown: those that put the papers' question."""

DATASETS = {"abdominal CT": "sabs", "abdominal MR": "chaos", "cardiac MR": "mscmr"}
"""The data set adapter whose cases a column's figures were measured on."""

ABDOMEN = ("left kidney", "right kidney", "spleen", "liver")

_CRAPNET = "Ding et al. 2022, CRAPNet, doi:10.48550/arXiv.2212.03967"
_RESAM2 = "RE-SAM2, README of its code (github.com, RE-SAM2), section “Result”"
_PROTOSAM = "Ayzenberg et al. 2025, ProtoSAM, Scientific Reports, doi:10.1038/s41598-025-06643-0"
_FAMNET = "Bo et al., FAMNet, github.com/primebo1/FAMNet"


@dataclass(frozen=True)
class Column:
    """What a published figure is of.

    Attributes:
        domain: a key of `DATASETS`, or where from and where to, "CT → MR".
        organ: its name; "" for the mean over the organs.
        measure: "Dice %" or "HD95".
    """

    domain: str
    organ: str = ""
    measure: str = "Dice %"


@dataclass(frozen=True)
class Quoted:
    """One published table.

    Attributes:
        key: short name.
        title: what was asked.
        source: the paper or page.
        place: table or section of the source.
        setting: "1" (slices with the test classes may be trained on) or "2" (they are left out); "" for neither.
        columns: what the figures are of.
        rows: (method, a figure for each column); None where none is printed.
        note: what else there is to know.
    """

    key: str
    title: str
    source: str
    place: str
    setting: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    note: str = ""


def _means(*domains: str) -> tuple[Column, ...]:
    return tuple(Column(domain) for domain in domains)


_BOTH = tuple(Column(domain, organ) for domain in ("abdominal CT", "abdominal MR") for organ in (*ABDOMEN, ""))

TABLES: tuple[Quoted, ...] = (
    Quoted(
        "setting-1",
        "Setting 1, 1 shot (slices with the test organs may have been trained on without their labels)",
        _CRAPNET,
        "table of Dice on abdominal images, setting 1",
        "1",
        _BOTH,
        (
            ("ALPNet (supervised)", (29.12, 31.32, 41.00, 65.07, 41.63, 44.73, 48.42, 49.61, 62.35, 51.28)),
            ("SSL-PANet", (56.52, 50.42, 55.72, 60.86, 57.88, 58.83, 60.81, 61.32, 71.73, 63.17)),
            ("SSL-ALPNet", (72.36, 71.81, 70.96, 78.29, 73.35, 81.92, 85.18, 72.18, 76.10, 78.84)),
            ("SSL-RPNet", (65.14, 66.73, 64.01, 72.99, 67.22, 71.46, 81.96, 73.55, 75.99, 75.74)),
            ("CRAPNet", (74.69, 74.18, 70.37, 75.41, 73.66, 81.95, 86.42, 74.32, 76.46, 79.79)),
        ),
    ),
    Quoted(
        "setting-2",
        "Setting 2, 1 shot (slices with the test organs left out of the training)",
        _CRAPNET,
        "table of Dice on abdominal images, setting 2",
        "2",
        _BOTH,
        (
            ("ALPNet-init", (13.90, 11.61, 16.39, 41.71, 20.90, 19.28, 14.93, 23.76, 37.73, 23.93)),
            ("ALPNet", (34.96, 30.40, 27.73, 47.37, 35.11, 53.21, 58.99, 52.18, 37.32, 50.43)),
            ("SSL-PANet", (37.58, 34.69, 43.73, 61.71, 44.42, 47.71, 47.95, 58.73, 64.99, 54.85)),
            ("SSL-ALPNet", (63.34, 54.82, 60.25, 73.65, 63.02, 73.63, 78.39, 67.02, 73.05, 73.02)),
            ("CRAPNet", (70.91, 67.33, 70.17, 70.45, 69.72, 74.66, 82.77, 70.82, 73.82, 75.52)),
        ),
        "Another paper's table (ProtoSAM) prints CRAPNet's spleen and liver in MR the other way round.",
    ),
    Quoted(
        "setting-2-means",
        "Means as in setting 2",
        _RESAM2,
        "table of means",
        "2",
        _means("abdominal MR", "abdominal CT", "cardiac MR"),
        (
            ("SSL-ALPNet", (76.81, 67.62, 77.94)),
            ("ADNet", (63.20, 52.63, 75.76)),
            ("Q-Net", (68.59, None, 78.15)),
            ("CRAPNet", (75.52, 69.72, 75.59)),
            ("AAS-DCL", (76.36, 68.16, 76.12)),
            ("SR&CL", (77.65, 67.94, 76.32)),
            ("RPT", (79.04, 71.69, 79.19)),
            ("GMRD", (79.70, 77.32, 79.11)),
            ("CATNet (not self-supervised)", (59.93, 54.88, 58.12)),
            ("SAM2, not fine-tuned", (68.57, 68.60, 66.62)),
            ("SAM2, fine-tuned", (78.46, 77.77, 78.44)),
            ("RE-SAM2", (85.31, 86.12, 82.18)),
        ),
        "The ALPNet of this table is the later one with boundary-preserving superpixels.",
    ),
    Quoted(
        "foundation-models",
        "Networks built on foundation models, as in setting 2",
        _PROTOSAM,
        "table of Dice on MRI and CT",
        "2",
        _means("abdominal MR", "abdominal CT"),
        (
            ("SSL-DINOv2-ALPNet", (75.16, 71.44)),
            ("SSL-DINOv2-ALPNet + CCA", (78.43, 73.16)),
            ("ProtoSAM (untrained)", (80.80, 74.55)),
            ("ProtoSAM + EFT-SP", (83.94, 79.11)),
            ("ProtoSAM + EFT-SAM", (84.12, 79.12)),
            ("ProtoMedSAM", (72.20, 68.10)),
            ("PerSAM", (33.12, 24.51)),
            ("AutoSAM", (65.66, 51.79)),
            ("SAM, best mask chosen by a user", (63.01, 79.18)),
            ("nnU-Net 2D, supervised", (90.31, 87.50)),
        ),
    ),
    Quoted(
        "foundation-models-hd95",
        "HD95 of a network built on foundation models, as in setting 2",
        _PROTOSAM,
        "table of HD95 on MRI and CT",
        "2",
        (Column("abdominal MR", "", "HD95"), Column("abdominal CT", "", "HD95")),
        (("ProtoSAM + EFT-SP", (30.32, 36.39)),),
        "The unit is not printed.",
    ),
    Quoted(
        "cross-modality",
        "Trained on one modality, tested on the other",
        _FAMNET,
        "Table 1",
        "",
        _means("CT → MR", "MR → CT"),
        (
            ("PANet", (32.46, 31.94)),
            ("SSL-ALPNet", (63.01, 47.46)),
            ("ADNet", (41.73, 42.55)),
            ("Q-Net", (49.44, 45.77)),
            ("CATNet", (46.21, 45.60)),
            ("RPT", (46.91, 48.28)),
            ("PATNet", (52.97, 57.29)),
            ("IFA", (49.37, 40.57)),
            ("FAMNet", (65.79, 64.75)),
        ),
    ),
    Quoted(
        "cross-sequence",
        "Trained on one cardiac MR sequence, tested on another",
        _FAMNET,
        "Table 2",
        "",
        _means("LGE → bSSFP", "bSSFP → LGE"),
        (
            ("PANet", (36.66, 28.69)),
            ("SSL-ALPNet", (57.47, 47.56)),
            ("ADNet", (49.02, 40.41)),
            ("Q-Net", (44.58, 34.85)),
            ("CATNet", (54.39, 45.10)),
            ("RPT", (53.47, 47.00)),
            ("PATNet", (61.44, 60.06)),
            ("IFA", (62.28, 54.85)),
            ("FAMNet", (71.58, 61.39)),
        ),
    ),
)
"""In the order in which they are shown."""
