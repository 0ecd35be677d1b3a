"""Authentication of requests: signatures, and the rules against web pages."""
