"""``python -m pypid.cli``: the command, where its script is not at hand."""

from pypid.cli.main import main

if __name__ == "__main__":
    main(prog_name="pypid")
