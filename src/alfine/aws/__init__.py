"""The AWS face: what unmodified SageMaker clients ask for, answered from the store.

Read `protocol` (JSON by botocore's model), then `operations` (the table; one file a resource), `shapes` (rows as AWS shows
them), `logs` and `neighbours` (the other services that these clients call).
"""
