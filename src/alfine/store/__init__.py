"""What alfine remembers: tuning jobs and their facts, the settings of a home, access keys. SQL is written here alone.

Read `schema` (the tables), then `store` (the class Store: writes facts, reads histories). `queries`, `pages`, `conditions` and `metrics`
are read through an open connection.
"""
