"""Tuning jobs for agents: the tools of `alfine mcp`, a server of the Model Context Protocol."""
