"""How a tower runs."""
