"""`python -m proxy` is `changeover`."""

from proxy.cli import main

main(prog_name="changeover")
