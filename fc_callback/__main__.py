"""`python -m fc_callback`: the command line, where its script is not installed."""

from fc_callback.cli import main

main()
