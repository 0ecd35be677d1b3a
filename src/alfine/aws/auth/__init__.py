"""Who may send a request: signatures and the rules for browsers."""
