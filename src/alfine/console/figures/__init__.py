"""The console's figures, one a file: a history (or values) in, SVG out.

Drawn on the server, so that they need neither scripts nor a package, follow the page's colours by its style sheet, and say in
each point's title what a table says beside them.
"""
