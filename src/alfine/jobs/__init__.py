"""A tuning job's life, from its request to its end.

Read `service` (what can be done with tuning jobs), then `engine` (who carries it out) and `run`; `home` puts both on one folder.
`describe`, `assessment` and `documents` are what is shown of a job. `analysis` learns from recorded jobs.
"""
