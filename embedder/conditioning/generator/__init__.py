"""kindred-demo: a small generator of pictures that listens to vectors of kindred-mini."""
