"""The side-by-side measurements behind every figure in the README."""
