"""Turns vectors of our space into what a generator listens to, and tells how usual they are."""
