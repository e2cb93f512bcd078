"""One moving picture out of many pictures of a screen: an SVG that any browser plays, without a script.

Rules that hold here:
- What is drawn is what Textual exported. A row of the screen is drawn once for each look that it has, and is seen in
  those spans of time in which the screen shows it so.
- A viewer that plays nothing shows the last frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from typing import Final

ROW_HEIGHT: Final = 24.4
CAPTION_HEIGHT: Final = 46

_RULE: Final = re.compile(r"\.[\w-]+-(r\d+) \{ (.*?) \}")
_RECTANGLE: Final = re.compile(r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"')
_TEXT: Final = re.compile(
    r'<text class="[\w-]+-(r\d+)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"[^>]*>(.*?)</text>'
)
_SIZE: Final = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_PLACE: Final = re.compile(r'<g transform="translate\(([\d.]+), ([\d.]+)\)"')


@dataclass(frozen=True, slots=True)
class Frame:
    """A screen as Textual exported it, from this moment on, and what is said beneath it."""

    at_s: float
    drawn: str
    caption: str


@dataclass(frozen=True, slots=True)
class Look:
    """A row of the screen, drawn: its place from above, and SVG whose colours are names in `Styles`."""

    row: int
    drawn: str


class Styles:
    """The styles of all frames, each under one short name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, style: str) -> str:
        return self._names.setdefault(style, f"s{len(self._names)}")

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, style) for style, name in self._names.items())


def film(frames: Sequence[Frame], length_s: float) -> str:
    """The SVG. `frames` begin at 0, and the last is seen until the end."""
    styles = Styles()
    seen = _seen(frames, length_s, styles)
    last = {look for look, spans in seen.items() if spans[-1][1] == length_s}
    moving = dict.fromkeys(spans for spans in seen.values() if spans != ((0.0, length_s),))
    names = {spans: f"t{number}" for number, spans in enumerate(moving)}
    width, height = map(float, _found(_SIZE, frames[0].drawn).groups())
    left, top = map(float, _found(_PLACE, frames[0].drawn).groups())
    lines = [
        f'<svg viewBox="0 0 {width:g} {height + CAPTION_HEIGHT:g}" xmlns="http://www.w3.org/2000/svg">',
        "<style>",
        "text{font:20px Fira Code,monospace;white-space:pre}",
        ".caption{font:22px sans-serif;fill:#15181c}.back{fill:#f2f2f0}.title{font:bold 18px arial;fill:#c5c8c6}",
        *(f".{name}{{{style}}}" for name, style in styles),
        f"g g{{visibility:hidden;animation:{length_s:.2f}s step-end infinite}}g .last{{visibility:visible}}",
        *(_times(name, spans, length_s) for spans, name in names.items()),
        "</style>",
        f'<rect class="back" width="{width:g}" height="{height + CAPTION_HEIGHT:g}" rx="8"/>',
        f'<rect fill="#292929" x="1" y="1" width="{width - 2:g}" height="{height - 2:g}" rx="8"/>',
        f'<text class="title" text-anchor="middle" x="{width / 2:g}" y="27">loggos</text>',
        *(f'<circle cx="{x}" cy="20" r="7" fill="{colour}"/>' for x, colour in _BUTTONS),
        f'<g transform="translate({left:g},{top:g})">',
        *(_shown(look, names.get(spans), look in last) for look, spans in seen.items()),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines).replace("CAPTION", f"{height - top + CAPTION_HEIGHT * 0.66:g}")


_BUTTONS: Final = ((26, "#ff5f57"), (48, "#febc2e"), (70, "#28c840"))


def _seen(frames: Sequence[Frame], length_s: float, styles: Styles) -> Mapping[Look, tuple[tuple[float, float], ...]]:
    """Each look of a row with the spans of time in which it is seen."""
    spans: dict[Look, list[tuple[float, float]]] = {}
    ends = [frame.at_s for frame in frames[1:]] + [length_s]
    for frame, end_s in zip(frames, ends, strict=True):
        for look in _looks(frame, styles):
            of_it = spans.setdefault(look, [])
            begin_s = of_it.pop()[0] if of_it and of_it[-1][1] == frame.at_s else frame.at_s
            of_it.append((begin_s, end_s))
    return {look: tuple(of_it) for look, of_it in spans.items()}


def _looks(frame: Frame, styles: Styles) -> Iterator[Look]:
    rules = dict(_RULE.findall(frame.drawn))
    inside = frame.drawn[_found(_PLACE, frame.drawn).end() :]
    drawn: dict[int, list[str]] = {}
    for fill, x, y, width in _boxes(inside):
        drawn.setdefault(round((y - 1.5) / ROW_HEIGHT), []).append(
            f'<rect class="{styles.name(f"fill:{fill}")}" x="{x:g}" y="{y:g}" width="{width:g}" height="24.65"/>'
        )
    for rule, x, y, length, text in _TEXT.findall(inside):
        plain = unescape(text).replace("\xa0", " ")
        if plain.strip():
            drawn.setdefault(round((float(y) - 20) / ROW_HEIGHT), []).append(
                f'<text class="{styles.name(rules[rule])}" x="{float(x):g}" y="{float(y):g}"'
                f' textLength="{float(length):g}">{escape(plain, quote=False)}</text>'
            )
    yield from (Look(row, "".join(parts)) for row, parts in sorted(drawn.items()))
    if frame.caption:
        yield Look(-1, f'<text class="caption" x="10" y="CAPTION">{escape(frame.caption, quote=False)}</text>')


def _boxes(drawn: str) -> Iterator[tuple[str, float, float, float]]:
    """Colour, left, top and width of what stands behind the text; neighbours of one colour are one box."""
    boxes: list[tuple[str, float, float, float]] = []
    for fill, *numbers in _RECTANGLE.findall(drawn):
        x, y, width = map(float, numbers)
        if boxes and (fill, y) == (boxes[-1][0], boxes[-1][2]) and abs(boxes[-1][1] + boxes[-1][3] - x) < 0.1:
            _, x, _, before = boxes.pop()
            width += before
        boxes.append((fill, x, y, width))
    yield from boxes


def _times(name: str, spans: Sequence[tuple[float, float]], length_s: float) -> str:
    """The keyframes: seen from each beginning on, hidden from each end on."""
    steps = [] if spans[0][0] == 0 else [(0.0, "hidden")]
    for begin_s, end_s in spans:
        steps += [(begin_s, "visible"), (end_s, "hidden")]
    frames = "".join(f"{round(100 * at_s / length_s, 3):g}%{{visibility:{how}}}" for at_s, how in steps)
    return f".{name}{{animation-name:{name}}}@keyframes {name}{{{frames}}}"


def _shown(look: Look, name: str | None, is_last: bool) -> str:
    if name is None:
        return look.drawn
    return f'<g class="{name}{" last" if is_last else ""}">{look.drawn}</g>'


def _found(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.search(text)
    assert found is not None, f"Textual exports other pictures: no {pattern.pattern}"
    return found
