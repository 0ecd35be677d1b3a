"""Webhooks: state changes posted to the receivers of alfine.toml as EventBridge's events, signed, in order, at least once."""
