"""Who may send a request: signatures, and the rules against web pages."""
