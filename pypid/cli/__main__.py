"""``python -m pypid.cli`` runs the command where its script is not installed."""

from pypid.cli.main import main

if __name__ == "__main__":
    main(prog_name="pypid")
