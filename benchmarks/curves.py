"""Curves as plain SVG that can be read on light and on dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

__all__ = ["curves"]

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 36, 50, 64
COLOURS = ("#2f81f7", "#d29922", "#3fb950", "#f85149")
"""The colours of the lines: each stands out from white and from black."""
GREY = "#8b949e"
"""The colour of axes and words, for the same reason."""
STEPS = 4


def curves(title: str, unit: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draw lines over a logarithmic axis of files; the other axis begins at 0.

    :param unit: of the numbers on the other axis.
    :param lines: points of files and numbers, by the name of the line.
    """
    points = [point for line in lines.values() for point in line]
    low, high = (log10(limit(files for files, _ in points)) for limit in (min, max))
    top = _round_up(max(number for _, number in points))
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(files: float, number: float) -> tuple[float, float]:
        across = (log10(files) - low) / (high - low) if high > low else 0.5
        return LEFT + across * width, TOP + (1 - number / top) * height

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' font-family="sans-serif" font-size="12" fill="{GREY}"><title>{escape(title)}</title>',
        _text(LEFT, 22, title, "start", 'font-size="15"'),
    ]
    for step in range(STEPS + 1):
        _, y = place(10**low, top * step / STEPS)
        drawn.append(_line(LEFT, y, WIDTH - RIGHT, y))
        drawn.append(_text(LEFT - 8, y + 4, f"{top * step / STEPS:,.4g}", "end"))
    drawn.append(_text(LEFT - 8, TOP - 14, unit, "end"))
    for files in sorted({files for files, _ in points}):
        x, _ = place(files, 0)
        drawn.append(_text(x, HEIGHT - BOTTOM + 18, f"{files:,.0f}", "middle"))
    drawn.append(_text(WIDTH - RIGHT, HEIGHT - BOTTOM + 34, "files", "end"))
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        dots = [place(*point) for point in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in dots]
        at = LEFT + number * 190
        drawn.append(f'<circle cx="{at}" cy="{HEIGHT - 16}" r="4" fill="{colour}"/>')
        drawn.append(_text(at + 10, HEIGHT - 12, name, "start"))
    return "\n".join([*drawn, "</svg>\n"])


def _round_up(number: float) -> float:
    """Give the next number of one digit, or of 1.5 or 2.5, that is not smaller."""
    if number <= 0:
        return 1.0
    power: float = 10.0 ** int(log10(number) // 1)
    return next(step * power for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= number)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1:.1f}" x2="{x2}" y2="{y2:.1f}" stroke="{GREY}" stroke-opacity="0.35"/>'


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
