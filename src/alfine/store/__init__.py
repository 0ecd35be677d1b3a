"""The memory of alfine: tuning jobs and their facts, the settings of a home, access keys. Only this room has SQL.

Read `schema` (the tables), then `store` (the class Store: writes facts, reads histories). `queries`, `pages`, `conditions` and `metrics`
are read through an open connection.
"""
