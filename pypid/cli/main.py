"""The entry point of the command: the options of all verbs, and the exit status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pypid import __version__
from pypid.cli import cache, commands, config, gen_config, owners, serve, tokens, users
from pypid.cli.maintenance import backups, catalog_rebuild, check, check_storage
from pypid.cli.open_index import IndexOptions
from pypid.cli.param_types import Validated
from pypid.daemon.configuration.shorthands import storage
from pypid.errors import PypidError

__all__ = ["main"]


class _Verbs(click.Group):
    """The verbs. The exit status is 0, 1 after a line about a refusal or failure, or 2 for wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except PypidError as error:
            click.echo(f"pypid: {error}", err=True)
            ctx.exit(1)


@click.group(cls=_Verbs)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The directory of the index.  [env var: PYPID_ROOT; required, if the configuration names none]",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The daemon's configuration file.  [env var: PYPID_CONFIG; default: DIR/pypid.toml, if it is there]",
)
@click.option(
    "--storage",
    type=Validated("storage", storage),
    metavar="DESC",
    help="Where its files are, as the daemon has it.  [env var: PYPID_STORAGE; default: directory:DIR]",
)
@click.version_option(__version__, prog_name="pypid", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, root: Path | None, storage: str | None, config: Path | None) -> None:
    """Work on the package index in DIR, whether its daemon runs or not."""
    # With click's own "required", `pypid VERB --help` would need the option, too.
    context.obj = IndexOptions(root, storage, config)


_VERBS = (commands.yank, commands.unyank, commands.remove, commands.status, check.check, check.accept)
_KEEPING = (backups.backup, backups.restore, check_storage.check_storage)
for _verb in (
    serve.serve,
    config.config,
    config.reload,
    gen_config.gen_config,
    *_VERBS,
    *_KEEPING,
    owners.owner,
    users.user,
    tokens.token,
    cache.cache,
    catalog_rebuild.catalog,
):
    main.add_command(_verb)
