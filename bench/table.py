"""What a section reports: rows of figures by contender, with their ratios and targets."""

import msgspec


class Check(msgspec.Struct, frozen=True):
    """A ratio beside its target; `met` is None when one side was not measured."""

    ratio: str
    target: str
    met: bool | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of each contender."""

    what: str
    cells: dict[str, str]
    checks: list[Check] = []


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One section of the report. `columns` are the contenders it shows; `failed` says why it has no rows."""

    title: str
    columns: list[str]
    rows: list[Row]
    notes: list[str] = []
    failed: str = ""


def at_most(value: float | None, base: float | None, factor: float, of: str) -> Check:
    """`value` should be at most `factor` times `base`."""
    return _check(value, base, factor, of, sign="≤")


def at_least(value: float | None, base: float | None, factor: float, of: str) -> Check:
    """`value` should be at least `factor` times `base`."""
    return _check(value, base, factor, of, sign="≥")


def _check(value: float | None, base: float | None, factor: float, of: str, *, sign: str) -> Check:
    target = f"{sign} {factor:g} x {of}"
    if value is None or not base:
        return Check("-", target, None)
    ratio = value / base
    return Check(f"{ratio:.2f} x {of}", target, ratio <= factor if sign == "≤" else ratio >= factor)
