"""How sure a number is, and whether two differ.

`summary` describes values, groups and folds, `two` compares two methods on the same cases, `many` compares more.
"""

from .many import Anova, Friedman, Many, OneWay, PostHoc, adjust, compare_groups, compare_many
from .summary import Parts, Summary, auc, describe, folds, groups
from .two import Pair, compare_two

__all__ = [
    "Anova",
    "Friedman",
    "Many",
    "OneWay",
    "Pair",
    "Parts",
    "PostHoc",
    "Summary",
    "adjust",
    "auc",
    "compare_groups",
    "compare_many",
    "compare_two",
    "describe",
    "folds",
    "groups",
]
