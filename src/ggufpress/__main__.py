"""`python -m ggufpress`."""

from ggufpress.cli.main import main

main()
