"""Figures: the history of a tuning job goes in, a chart comes out. One module per figure; `svg` draws for the console."""
