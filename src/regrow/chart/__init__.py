"""Charts for pages, files and the clinic's screens: values in, SVG text out.

The one thing to know: this package knows nothing of medicine, Django or simulation; a caller gives numbers and names.
"""

from regrow.chart.axes import clock_for, number
from regrow.chart.draw import style, svg, table
from regrow.chart.forest import Forest, Row, forest_svg, forest_table
from regrow.chart.layers import Band, Chart, Layer, Limit, Line, Marks, Now, Rug, Span

__all__ = [
    "Band",
    "Chart",
    "Forest",
    "Layer",
    "Limit",
    "Line",
    "Marks",
    "Now",
    "Row",
    "Rug",
    "Span",
    "clock_for",
    "forest_svg",
    "forest_table",
    "number",
    "style",
    "svg",
    "table",
]
