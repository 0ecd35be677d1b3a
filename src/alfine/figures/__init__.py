"""Figures: what is known of a job goes in, a chart comes out."""
