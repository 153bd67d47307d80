"""``pneumoscope node status``, ``list`` and ``show``: what was received, read and sent."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import get_args

import click

from pneumoscope.cli.node_options import check_known, config_option, opened, seconds_of
from pneumoscope.pacs import status as lines
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.decision import senders as configured_senders
from pneumoscope.pacs.errors import NodeError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger.search import (
    DeliveryQuery,
    InstanceQuery,
    count_by_destination,
    search_deliveries,
    search_instances,
    senders_of_images,
)
from pneumoscope.pacs.ledger.tables import DeliveryState, InstanceState

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
"""A local time on the command line."""


@click.command("status")
@config_option
def status(file: Path) -> None:
    """Show which processes run, how many images and deliveries are in which state, and why deliveries are dead."""
    with opened(file) as (node, ledger):
        for line in lines.status(node, ledger):
            click.echo(line)


@click.command("list")
@click.argument("what", type=click.Choice(["images", "deliveries"]), default="images")
@click.option("--state", "states", multiple=True, metavar="STATE", help="Only in this state; may be repeated.")
@click.option(
    "--sender", "senders", multiple=True, metavar="AE", help="Images: only from this AE title or poll; may be repeated."
)
@click.option(
    "--to", "destinations", multiple=True, metavar="NAME", help="Deliveries: only to this destination; may be repeated."
)
@click.option("--since", type=MOMENT, help="Images: received since this local time.")
@click.option("--before", type=MOMENT, help="Images: received before this local time.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Most lines, the newest.")
@config_option
def list_(
    what: str, states: tuple[str, ...], senders: tuple[str, ...], destinations: tuple[str, ...], since: datetime | None,
    before: datetime | None, limit: int, file: Path,
) -> None:  # fmt: skip
    """List images or deliveries, the newest first, by pseudonyms."""
    check_known("state", states, get_args(InstanceState) if what == "images" else get_args(DeliveryState))
    of_images, of_deliveries = {"--sender": senders, "--since": since, "--before": before}, {"--to": destinations}
    check_filters(what, of_deliveries if what == "images" else of_images)
    with opened(file) as (node, ledger):
        check_destinations(node, ledger, destinations)
        check_senders(node, ledger, senders)
        if what == "images":
            query = InstanceQuery((), states, senders, seconds_of(since), seconds_of(before))  # type: ignore[arg-type]  # checked above
            for instance in search_instances(ledger, query, limit):
                click.echo(lines.instance_line(node, instance))
        else:
            wanted = DeliveryQuery((), states, destinations)  # type: ignore[arg-type]  # checked above
            for delivery in search_deliveries(ledger, wanted, limit):
                click.echo(lines.delivery_line(node, delivery))


@click.command("show")
@click.argument("image", metavar="ROW|PSEUDONYM|UID")
@config_option
def show(image: str, file: Path) -> None:
    """Show one image with its readings, results and deliveries: by its row, its pseudonym, or its SOP Instance UID."""
    with opened(file) as (node, ledger):
        if image.isdigit() and len(image) < 12:
            found = search_instances(ledger, InstanceQuery(ids=(int(image),)))
        elif "." in image:
            found = search_instances(ledger, InstanceQuery(sop_instance_uid=image))
        else:
            match = lines.find(node, search_instances(ledger, InstanceQuery()), image)
            found = [match] if match else []
        if not found:
            raise NodeError("the ledger has no image with this row, pseudonym or UID; pneumoscope node list shows the newest")
        for instance in found:
            for line in lines.details(node, ledger, instance):
                click.echo(line)


def check_filters(what: str, of_others: Mapping[str, object]) -> None:
    """Refuse an option that chooses among other rows than those that are listed or changed.

    Parameters
    ----------
    what : str
        ``images`` or ``deliveries``.
    of_others : mapping of str to object
        The options that do not belong to these rows, with their values.

    Raises
    ------
    click.UsageError
        If one of them was given.
    """
    if given := [option for option, value in of_others.items() if value]:
        others = "deliveries" if what == "images" else "images"
        raise click.UsageError(f"'{given[0]}' chooses among {others}, not {what}; leave it out")


def check_destinations(node: NodeConfig, ledger: Ledger, names: tuple[str, ...]) -> None:
    """Refuse a name that neither the configuration nor a delivery has.

    Parameters
    ----------
    node : NodeConfig
        The node.
    ledger : Ledger
        Its ledger.
    names : tuple of str
        Names of destinations and notifications.

    Raises
    ------
    click.UsageError
        If one of them is not known.
    """
    if names:
        check_known("destination", names, sorted({one.name for one in node.outlets} | set(count_by_destination(ledger))))


def check_senders(node: NodeConfig, ledger: Ledger, names: tuple[str, ...]) -> None:
    """Refuse a sender that no image came from and that no peer, poll or rule of the configuration names.

    Parameters
    ----------
    node : NodeConfig
        The node.
    ledger : Ledger
        Its ledger.
    names : tuple of str
        AE titles, names of polls, and ``STOW-RS``, as the images of the ledger have them.

    Raises
    ------
    click.UsageError
        If one of them is not known.
    """
    if not names:
        return
    in_rules = {title for rule in node.rules for title in rule.ae_titles}
    known = sorted(configured_senders(node) | in_rules | senders_of_images(ledger))
    check_known("sender", names, known, "no image was received yet, and the configuration names none")
