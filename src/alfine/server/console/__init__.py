"""The web console of `alfine serve`: the state of every tuning job, the reasons for its decisions, and forms to change it.

The server renders complete pages, charts (SVG) included, so that they work without JavaScript. One small script
(static/console.js) fetches the parts of a page marked `data-live` again when the server reports a change.

Reading order: `app` (routes, sign-in, security headers), `sessions`, `page_request`, `render`, then one module per page:
`tuning_jobs`, `tuning_job`, `training_job`, `change_form`, `replay`.
"""

from alfine.server.console.app import Console

__all__ = ["Console"]
