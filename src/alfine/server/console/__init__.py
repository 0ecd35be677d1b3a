"""The web console of `alfine serve`: what every tuning job does and why, in a browser, and what to change about it.

Pages are made on the server and work without scripts, figures too (SVG). One small script (static/console.js) fetches a page's
live parts anew when the server tells that something happened. Reading order: words, door, site, jobs, job.
"""

from alfine.server.console.app import Console

__all__ = ["Console"]
