"""Build SVG elements as Markup. All texts are escaped. Pure."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup, escape

Value = str | float | None
"""Type of an attribute value; None omits the attribute."""

_MOST: Final = 1e6  # bound of coordinates, larger than any chart
_EMPTY: Final = Markup("")


def element(name: str, *parts: str, **attributes: Value) -> Markup:
    """Build an element; `class_` becomes class, `stroke_width` becomes stroke-width.

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
    """Concatenate parts; plain strings are escaped."""
    return _EMPTY.join(escape(part) for part in parts)


def tooltip(text: str | None) -> Markup:
    """Build the tooltip of a mark; empty without a text."""
    return element("title", text) if text else _EMPTY


def svg(
    width: float, height: float, title: str, about: str, *parts: str, class_: str = "", over: str = ""
) -> Markup:
    """Build a chart with a title and a description for screen readers.

    `over` is drawn on top for pointers only, such as links. Keyboard users find the same links in the table.
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
    """Build a chart without text that stretches to the width of its container; 100 units wide."""
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
    """Wrap parts in a link for pointers, or in a group if there is no URL."""
    return element("a", *parts, href=href, tabindex="-1") if href else element("g", *parts)


def _written(value: str | float) -> Markup:
    return escape(value) if isinstance(value, str) else Markup(_number(value))  # noqa: S704 - digits alone


def _number(value: float) -> str:
    """Format a coordinate with at most two decimals.

    >>> _number(2.0), _number(1 / 3), _number(-0.001)
    ('2', '0.33', '0')
    """
    held = min(max(value, -_MOST), _MOST)
    short = f"{held:.2f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short
