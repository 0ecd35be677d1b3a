"""Figures, one a file: histories in, a Plotly figure (or a PNG) out.

Plotly and matplotlib are optional (`pip install 'alfine[plots]'`) and imported only when a figure is drawn.
"""
