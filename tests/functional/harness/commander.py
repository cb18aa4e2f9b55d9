"""A process that runs the command `pypid` again and again: ``commander.py ROOT``.

Each line of its standard input is a JSON list, the arguments and what is to stand on the command's
own standard input; for each it says the exit status and the output. To run the command as a process of its
own each time would take a hundred times as long as what it does.
"""

from __future__ import annotations

import json
import sys

from click.testing import CliRunner

from pypid.cli.main import main


def serve(root: str) -> None:
    """Run commands until the input ends."""
    for line in sys.stdin:
        *arguments, typed = json.loads(line)
        result = CliRunner().invoke(main, ["--root", root, *arguments], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            print(json.dumps([-1, repr(result.exception)]), flush=True)
        else:
            print(json.dumps([result.exit_code, result.output]), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
