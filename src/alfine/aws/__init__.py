"""AWS's API: what unmodified SageMaker clients ask for, answered from the store.

Read json_protocol.py first (JSON by botocore's model), then sagemaker/operations.py (the table of operations; one file per resource),
sagemaker/shapes.py (rows as AWS shows them), and cloudwatch_logs.py and sts_iam_cloudwatch.py (other services that these clients call).
"""
