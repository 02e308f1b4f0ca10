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
        rows.add_row(str(device), device.name)
        for key, value in device.properties.items():
            rows.add_row("", f"[dim]{key.replace('_', ' ')}:[/dim] {', '.join(value.split(','))}")
    stdout().print(rows)
