"""Charts: draw numbers and names as escaped SVG, or compute the positions for it. Pure.

Colours come from CSS classes (`static/charts.css`) and never from style attributes, so that they follow light
and dark mode. Unknown values aren't drawn. Each value is in the `<title>` of its mark, and in a table on the
page.
"""
