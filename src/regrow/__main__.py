"""`python -m regrow` is the `regrow` command."""

from regrow.cli import main

main()
