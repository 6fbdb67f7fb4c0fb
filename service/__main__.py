"""`python -m service` is `kindred`."""

from service.cli import app

app(prog_name="kindred")
