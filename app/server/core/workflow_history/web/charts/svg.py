"""SVG elements: names, attributes and parts in, Markup out; every text is escaped. Pure."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup, escape

Value = str | float | None
"""Of an attribute; None leaves it out."""

_MOST: Final = 1e6  # no drawing is that large
_EMPTY: Final = Markup("")


def element(name: str, *parts: str, **attributes: Value) -> Markup:
    """Return one element; `class_` is class, `stroke_width` is stroke-width.

    >>> element("text", "a < b", x=1.50, class_="name")
    Markup('<text x="1.5" class="name">a &lt; b</text>')
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_written(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = _EMPTY.join(escape(part) for part in parts)
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704 - all of it is escaped above


def concat(*parts: str) -> Markup:
    """Return some parts one after the other."""
    return _EMPTY.join(escape(part) for part in parts)


def tooltip(text: str | None) -> Markup:
    """Return what is shown of a mark while a pointer rests on it."""
    return element("title", text) if text else _EMPTY


def svg(
    width: float, height: float, title: str, about: str, *parts: str, class_: str = "", over: str = ""
) -> Markup:
    """Return a whole drawing, told in words to those who do not see it.

    `over`: what lies over it for pointers alone, such as links; keys find the same in the table beside it.
    """
    told = element("g", element("title", title), element("desc", about), *parts, role="img")
    return element(
        "svg",
        told,
        element("g", over, aria_hidden="true") if over else _EMPTY,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        class_=f"chart {class_}".strip(),
        focusable="false",
    )


def inline_svg(title: str, *parts: str, class_: str = "", height: float = 12) -> Markup:
    """Return a drawing that is stretched to the width of its place, 100 wide; it holds no text."""
    return element(
        "svg",
        element("title", title),
        *parts,
        viewBox=f"0 0 100 {_number(height)}",
        preserveAspectRatio="none",
        class_=f"strip {class_}".strip(),
        role="img",
        focusable="false",
    )


def link(href: str | None, *parts: str) -> Markup:
    """Return parts that lead somewhere, for pointers; a plain group where there is nowhere to go."""
    return element("a", *parts, href=href, tabindex="-1") if href else element("g", *parts)


def _written(value: str | float) -> Markup:
    return escape(value) if isinstance(value, str) else Markup(_number(value))  # noqa: S704 - digits alone


def _number(value: float) -> str:
    """Return a coordinate, to a hundredth.

    >>> _number(2.0), _number(1 / 3), _number(-0.001)
    ('2', '0.33', '0')
    """
    held = min(max(value, -_MOST), _MOST)
    short = f"{held:.2f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short
