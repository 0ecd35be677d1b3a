"""What recorded jobs tell: replays, advice, tables."""
