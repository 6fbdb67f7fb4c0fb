"""How kindred-mini is made, and how any model is judged."""
