"""Build SVG elements as Markup. All texts are escaped. Pure."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup, escape

Value = str | float | None
"""Type of an attribute value; None omits the attribute."""

_MAX_COORDINATE: Final = 1e6  # bound of coordinates, larger than any chart
_EMPTY: Final = Markup("")


def element(name: str, *parts: str, **attributes: Value) -> Markup:
    """Build an element; `class_` becomes class, `stroke_width` becomes stroke-width.

    >>> element("text", "a < b", x=1.50, class_="name")
    Markup('<text x="1.5" class="name">a &lt; b</text>')
    """
    texts = {
        key.rstrip("_").replace("_", "-"): escape(value) if isinstance(value, str) else _format_number(value)
        for key, value in attributes.items()
        if value is not None
    }
    attribute_text = "".join(f' {key}="{text}"' for key, text in texts.items())
    content = _EMPTY.join(escape(part) for part in parts)
    return Markup(f"<{name}{attribute_text}>{content}</{name}>")  # noqa: S704 - all of it is escaped above


def concat(*parts: str) -> Markup:
    """Concatenate parts; plain strings are escaped."""
    return _EMPTY.join(escape(part) for part in parts)


def tooltip(text: str | None) -> Markup:
    """Build the tooltip of a mark; empty without a text."""
    return element("title", text) if text else _EMPTY


def svg(
    width: float,
    height: float,
    title: str,
    description: str,
    *parts: str,
    class_: str = "",
    overlay: str = "",
) -> Markup:
    """Build a chart with a title and a description for screen readers.

    `overlay` is drawn on top for pointers only, such as links. For keyboards, the table has the same links.
    """
    content = element("g", element("title", title), element("desc", description), *parts, role="img")
    return element(
        "svg",
        content,
        element("g", overlay, aria_hidden="true") if overlay else _EMPTY,
        viewBox=f"0 0 {_format_number(width)} {_format_number(height)}",
        class_=f"chart {class_}".strip(),
        focusable="false",
    )


def inline_svg(title: str, *parts: str, class_: str = "", height: float = 12) -> Markup:
    """Build a chart without text that stretches to the width of its container; 100 units wide."""
    return element(
        "svg",
        element("title", title),
        *parts,
        viewBox=f"0 0 100 {_format_number(height)}",
        preserveAspectRatio="none",
        class_=f"strip {class_}".strip(),
        role="img",
        focusable="false",
    )


def link(href: str | None, *parts: str) -> Markup:
    """Wrap parts in a link for pointers, or in a group if there is no URL."""
    return element("a", *parts, href=href, tabindex="-1") if href else element("g", *parts)


def _format_number(value: float) -> str:
    """Format a coordinate with at most two decimals.

    >>> _format_number(2.0), _format_number(1 / 3), _format_number(-0.001)
    ('2', '0.33', '0')
    """
    clamped = min(max(value, -_MAX_COORDINATE), _MAX_COORDINATE)
    text = f"{clamped:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
