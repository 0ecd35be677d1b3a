"""Hosting: nothing is hosted here, so that nothing is in this module."""
