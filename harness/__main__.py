"""`python -m harness` is the `keelhaul` command."""

from harness.cli import main

main()
