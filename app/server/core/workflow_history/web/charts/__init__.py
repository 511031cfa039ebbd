"""Drawings of figures: numbers and names in, SVG that is safe in a page, or places for it, out. Pure.

Colours come from classes (`static/charts.css`), so that they follow light and dark; no attribute is a style.
What is unknown is not drawn. Every value stands in the `<title>` of its mark, and in a table beside it.
"""
