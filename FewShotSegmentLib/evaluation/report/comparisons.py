"""Whether methods differ: each beside the leading one, and all together."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..row import Row
from ..statistics import Many, Pair, adjust, compare_many, compare_two
from .material import Material, grouped, question
from .means import mean
from .numbers import interval, number, p_value
from .tables import Cell, Section, Table, label

EVERYTHING = "all organs"
"""Scope of a comparison over all organs, where a patient's mean is one value."""

MOST_SETTINGS = 6
"""Settings up to which each is compared per organ and gets pictures of its own; of more only the first one is."""

Values = Mapping[str, Mapping[Hashable, float | None]]


@dataclass(frozen=True)
class Beside:
    """A method beside the leading one.

    Attributes:
        setting: of both.
        scope: `EVERYTHING` or an organ.
        lead: the leading method.
        other: the other one.
        pair: the comparison.
        t_holm: p of the t-test, adjusted for the other methods of this setting and scope.
        wilcoxon_holm: the same of Wilcoxon's test.
    """

    setting: str
    scope: str
    lead: str
    other: str
    pair: Pair
    t_holm: float | None
    wilcoxon_holm: float | None


@dataclass(frozen=True)
class Together:
    """Three or more methods at once, over patients' means.

    Attributes:
        setting: of all.
        many: the comparison.
    """

    setting: str
    many: Many


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of Dice.

    Attributes:
        beside: each method beside the leading one.
        together: all methods of a setting.
    """

    beside: tuple[Beside, ...]
    together: tuple[Together, ...]


def shown_settings(material: Material) -> tuple[str, ...]:
    """Settings that are looked at closely: all if they are few, else the first."""
    return material.settings if len(material.settings) <= MOST_SETTINGS else material.settings[:1]


def compare(material: Material) -> Comparisons:
    """Compare methods in every setting. Values are paired: by patient over all organs, by case for one organ."""
    beside: list[Beside] = []
    together: list[Together] = []
    close = shown_settings(material)
    for setting in material.settings:
        rows = [row for row in material.answers if row.setting == setting]
        patients = _by_patient(material, rows)
        if len(patients) < 2:
            continue
        scopes: dict[str, Values] = {EVERYTHING: patients}
        if setting in close and len(material.organs) > 1:
            scopes |= {organ: _by_question(material, rows, organ) for organ in material.organs}
        for scope, values in scopes.items():
            beside += _beside(material.lead, setting, scope, values)
        if setting in close and len(patients) > 2:
            together.append(Together(setting, compare_many(patients)))
    return Comparisons(tuple(beside), tuple(together))


def _beside(lead: str, setting: str, scope: str, values: Values) -> list[Beside]:
    if len(values) < 2:
        return []
    lead = lead if lead in values else next(iter(values))
    pairs = {other: compare_two(values[lead], own) for other, own in values.items() if other != lead}
    t_holm = adjust([pair.t_p for pair in pairs.values()])
    wilcoxon_holm = adjust([pair.wilcoxon_p for pair in pairs.values()])
    return [
        Beside(setting, scope, lead, other, pair, t, w)
        for (other, pair), t, w in zip(pairs.items(), t_holm, wilcoxon_holm, strict=True)
    ]


def _by_patient(material: Material, rows: Iterable[Row]) -> dict[str, dict[Hashable, float | None]]:
    """{method: {patient: mean Dice of what every method of the setting answered}}."""
    found = grouped(rows, lambda row: row.method)
    values = {
        name: {question(row): (row.metrics.get("dice"), (row.dataset, row.patient)) for row in found[name]}
        for name in material.methods
        if name in found
    }
    if not values:
        return {}
    # A patient of whom one method answered fewer organs would otherwise be compared by different organs.
    shared = set.intersection(*(set(own) for own in values.values()))
    shared = {key for key in shared if all(own[key][0] is not None for own in values.values())}
    means: dict[str, dict[Hashable, float | None]] = {}
    for name, own in values.items():
        patients: dict[Hashable, list[float | None]] = {}
        for key in sorted(shared):
            patients.setdefault(own[key][1], []).append(own[key][0])
        means[name] = {patient: mean(dice) for patient, dice in patients.items()}
    return means


def _by_question(material: Material, rows: Iterable[Row], organ: str) -> Values:
    found = grouped((row for row in rows if row.organ == organ), lambda row: row.method)
    return {
        name: {question(row): row.metrics.get("dice") for row in found[name]}
        for name in material.methods
        if name in found
    }


def section(material: Material, comparisons: Comparisons) -> Section:
    """Tables of the comparisons."""
    found = Section("statistics", "Differences between methods")
    if not comparisons.beside:
        return found
    lead = material.title(comparisons.beside[0].lead)
    found.text.append(
        f"Dice, {material.scope}; two-sided tests of {lead} beside each other method. Over all organs a patient's "
        "mean is one value, since organs of one patient are not independent; per organ it is the case. p values are "
        "adjusted by Holm for the number of methods compared in a line's setting and scope. With few patients no test "
        "can show a difference: Wilcoxon's p is never below 0.06 for five."
    )
    title = "Each method beside the leading one"
    overall = [item for item in comparisons.beside if item.scope == EVERYTHING]
    each = [item for item in comparisons.beside if item.scope != EVERYTHING]
    found.tables.append(_beside_table(material, overall, f"{title}, over patients"))
    if each:
        found.tables.append(_beside_table(material, each, f"{title}, per organ", folded=True))
    if comparisons.together:
        found.tables.append(_together_table(material, comparisons))
        found.tables.append(_pairs_table(material, comparisons))
    return found


def _figure(value: float | None) -> Cell:
    return Cell(number(value), value=value)


def _chance(value: float | None) -> Cell:
    return Cell(p_value(value), value=value)


def _difference(pair: Pair) -> Cell:
    return Cell(number(pair.difference), interval(pair.low, pair.high), value=pair.difference)


def _beside_table(material: Material, items: Sequence[Beside], title: str, folded: bool = False) -> Table:
    several = any(item.setting for item in items)
    rows = []
    for item in items:
        pair = item.pair
        line = [label(f"{material.title(item.lead)} − {material.title(item.other)}")]
        line += [label(item.setting)] if several else []
        line += [label(item.scope), Cell(str(pair.n), value=float(pair.n))]
        line += [_figure(pair.mean_a), _figure(pair.mean_b), _difference(pair)]
        line += [_chance(item.t_holm), _chance(item.wilcoxon_holm), _figure(pair.d_z), _figure(pair.rank_biserial)]
        rows.append(line)
    head = ["Methods", *(["Setting"] if several else []), "Scope", "n", "Mean of the first", "Mean of the second"]
    head += ["Difference", "p, t-test (Holm)", "p, Wilcoxon (Holm)", "Cohen’s d_z", "Rank-biserial"]
    return Table(title, head, rows, "Below the difference: its 95 % bootstrap interval.", folded)


def _together_table(material: Material, comparisons: Comparisons) -> Table:
    rows = []
    for item in comparisons.together:
        many = item.many
        line = [label(item.setting or "–"), Cell(str(many.n), value=float(many.n))]
        if many.anova is None:
            line += [Cell("–")] * 3
        else:
            degrees = "{} and {} degrees of freedom".format(*many.anova.df)
            line.append(Cell(number(many.anova.f), degrees, value=many.anova.f))
            line += [_chance(many.anova.p_corrected), _figure(many.anova.partial_eta2)]
        if many.friedman is None:
            line += [Cell("–")] * 4
        else:
            ranks = sorted(many.friedman.ranks.items(), key=lambda pair: pair[1])
            told = ", ".join(f"{material.title(name)} {number(rank, 2)}" for name, rank in ranks)
            line += [_figure(many.friedman.chi2), _chance(many.friedman.p), _figure(many.friedman.kendall_w)]
            line.append(Cell(told))
        rows.append(line)
    head = ["Setting", "n", "ANOVA F", "p (Greenhouse–Geisser)", "Partial η²", "Friedman χ²", "p", "Kendall’s W"]
    return Table("All methods together, over patients", [*head, "Mean ranks (1 is best)"], rows)


def _pairs_table(material: Material, comparisons: Comparisons) -> Table:
    rows = []
    for item in comparisons.together:
        for post in item.many.pairs:
            line = [label(f"{material.title(post.a)} − {material.title(post.b)}"), label(item.setting or "–")]
            line += [_difference(post.pair), _chance(post.t_holm), _chance(post.wilcoxon_holm), _chance(post.nemenyi)]
            rows.append([*line, _figure(post.pair.d_z)])
    head = ["Methods", "Setting", "Difference", "p, t-test (Holm)", "p, Wilcoxon (Holm)", "p, Nemenyi", "Cohen’s d_z"]
    return Table("Every two methods (post-hoc), over patients", head, rows, folded=True)
