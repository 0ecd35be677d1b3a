"""SageMaker's operations: a file for each kind of resource, the shapes of their answers, pagination and Search."""
