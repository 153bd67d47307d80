"""``pneumoscope node requeue``, ``drop``, ``reprocess`` and ``remove-old-files``: change what waits and what is kept."""

from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import click

from pneumoscope.cli.node_lists import MOMENT, check_destinations, check_filters, check_senders
from pneumoscope.cli.node_options import check_known, config_option, opened, seconds_of
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.errors import NodeError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger.search import DeliveryQuery, InstanceQuery, search_deliveries, search_instances
from pneumoscope.pacs.ledger.tables import DeliveryState, InstanceState
from pneumoscope.pacs.reprocess import reprocess as read_again
from pneumoscope.pacs.retention import remove_old_files

What = Literal["images", "deliveries"]
_WHAT = click.Choice(get_args(What))


def _rows(
    node: NodeConfig, ledger: Ledger, what: What, ids: tuple[int, ...], states: tuple[str, ...], destinations: tuple[str, ...]
) -> list[int]:
    check_known("state", states, get_args(InstanceState) if what == "images" else get_args(DeliveryState))
    check_filters(what, {"--to": destinations} if what == "images" else {})
    if not (ids or states):
        raise click.UsageError("name rows (pneumoscope node list shows them), or a --state")
    check_destinations(node, ledger, destinations)
    _check_rows(ledger, what, ids)
    if what == "images":
        return [one.id for one in search_instances(ledger, InstanceQuery(ids, states))]  # type: ignore[arg-type]  # checked above
    return [one.id for one in search_deliveries(ledger, DeliveryQuery(ids, states, destinations))]  # type: ignore[arg-type]  # as above


def _check_rows(ledger: Ledger, what: What, ids: tuple[int, ...]) -> None:
    if not ids:
        return
    is_image = what == "images"
    rows = search_instances(ledger, InstanceQuery(ids)) if is_image else search_deliveries(ledger, DeliveryQuery(ids))
    there = {row.id for row in rows}
    if unknown := [row for row in ids if row not in there]:
        raise NodeError(f"{what} have no row {unknown[0]}, and nothing was changed; pneumoscope node list {what} shows the rows")


@click.command("requeue")
@click.argument("what", type=_WHAT)
@click.argument("ids", metavar="[ROW]...", type=click.IntRange(1), nargs=-1)
@click.option("--state", "states", multiple=True, metavar="STATE", help="All rows in this state, such as dead or failed.")
@click.option(
    "--to", "destinations", multiple=True, metavar="NAME", help="Deliveries: only to this destination; may be repeated."
)
@config_option
def requeue(what: What, ids: tuple[int, ...], states: tuple[str, ...], destinations: tuple[str, ...], file: Path) -> None:
    """Let images be read again, or dead deliveries be sent again, from the first attempt.

    A destination is asked first whether it has the result, so that nothing is sent twice.
    """
    with opened(file) as (node, ledger):
        rows = _rows(node, ledger, what, ids, states, destinations)
        changed = ledger.requeue("instances" if what == "images" else "deliveries", rows)
    click.echo(
        f"{changed} of {len(rows)} {what} wait again; those that wait already, were sent, have no file any more, or have the SOP "
        "Instance UID of another image with results, are left as they are"
    )


@click.command("drop")
@click.argument("what", type=_WHAT)
@click.argument("ids", metavar="[ROW]...", type=click.IntRange(1), nargs=-1)
@click.option("--state", "states", multiple=True, metavar="STATE", help="All rows in this state, such as dead or conflict.")
@click.option(
    "--to", "destinations", multiple=True, metavar="NAME", help="Deliveries: only to this destination; may be repeated."
)
@click.option("--reason", required=True, help="Why, for the list; without a name or an identifier.")
@config_option
def drop(
    what: What, ids: tuple[int, ...], states: tuple[str, ...], destinations: tuple[str, ...], reason: str, file: Path
) -> None:
    """Give images or deliveries up that nobody works on; their rows stay, with the reason."""
    with opened(file) as (node, ledger):
        rows = _rows(node, ledger, what, ids, states, destinations)
        changed = ledger.drop("instances" if what == "images" else "deliveries", rows, reason)
    click.echo(f"{changed} of {len(rows)} {what} are dropped; those that are worked on, read or sent are left as they are")


@click.command("reprocess")
@click.option("--since", type=MOMENT, help="Received since this local time.")
@click.option("--before", type=MOMENT, help="Received before this local time.")
@click.option("--sender", "senders", multiple=True, metavar="AE", help="Only from this AE title or poll; may be repeated.")
@click.option(
    "--state",
    "states",
    multiple=True,
    metavar="STATE",
    default=("read",),
    show_default=True,
    help="Only in this state: read, skipped or failed; may be repeated.",
)
@click.option("--all", "all_", is_flag=True, help="Also what the present models have read: sends results to new destinations.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@config_option
def reprocess(
    since: datetime | None, before: datetime | None, senders: tuple[str, ...], states: tuple[str, ...], all_: bool, dry_run: bool,
    file: Path,
) -> None:  # fmt: skip
    """Have images read again that a present model has not read, such as after a switch of the model.

    Earlier readings and results are kept; a new report names the earlier one as its predecessor.
    """
    check_known("state", states, ("read", "skipped", "failed"))
    query = InstanceQuery((), states, senders, seconds_of(since), seconds_of(before))  # type: ignore[arg-type]  # checked above
    with opened(file) as (node, ledger):
        check_senders(node, ledger, senders)
        outcome = read_again(node, ledger, query, only_unread=not all_, dry_run=dry_run)
    click.echo(outcome)


@click.command("remove-old-files")
@click.option("--dry-run", is_flag=True, help="Only count.")
@config_option
def old_files(dry_run: bool, file: Path) -> None:
    """Remove files that nobody needs, older than the days of [retention]; a running node does so once an hour.

    The rows stay. A file whose delivery waits or is dead is never removed.
    """
    with opened(file) as (node, ledger):
        removed = remove_old_files(node, ledger, dry_run=dry_run)
    click.echo(f"{removed} {'would be' if dry_run else 'were'} removed from the spool; the rows of the ledger stay")
