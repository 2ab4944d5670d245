"""What a measure gives: rows to compare, and remarks; and how they are printed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """Ours beside the other, measured in the same run on the same machine."""

    what: str
    ours: float
    other: float
    other_is: str
    unit: str
    limit: str = ""
    """What is asked for, in words; "" where nothing is."""

    @property
    def cells(self) -> tuple[str, ...]:
        ratio = "-" if self.other == 0 else f"{self.ours / self.other:.2f}"
        return (
            self.what,
            _number(self.ours, self.unit),
            f"{_number(self.other, self.unit)}  {self.other_is}",
            ratio,
            self.limit,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What one measure found."""

    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()


_HEAD = ("measure", "ours", "the other", "ours/other", "asked for")


def table(rows: Sequence[Row]) -> str:
    """Return the rows with a head, in columns."""
    lines = [_HEAD, *(row.cells for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
    texts = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    texts.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(text.rstrip() for text in texts)


def spread(name: str, values: Sequence[float], unit: str) -> str:
    """Return a remark: the median of some values, and how far they lie apart."""
    low, middle, high = min(values), statistics.median(values), max(values)
    numbers = f"{low:.4g} / {middle:.4g} / {high:.4g}"
    return f"{name}: least / median / most of {len(values)}: {numbers} {unit}".rstrip()


def _number(value: float, unit: str) -> str:
    text = f"{value:.0f}" if value == round(value) else f"{value:.2f}"
    if abs(value) >= 100:
        text = f"{value:.0f}"
    return f"{text} {unit}".rstrip()
