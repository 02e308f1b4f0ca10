"""`tesselle devices`: the devices of this machine."""

from __future__ import annotations

import click


@click.command("devices")
def command() -> None:
    """List the devices of this machine, with the names that --device takes."""
    import tesselle as ts
    from tesselle.cli.console import stdout, table

    rows = table("device", "description")
    for device in ts.devices():
        rows.add_row(str(device), "")
    stdout().print(rows)
