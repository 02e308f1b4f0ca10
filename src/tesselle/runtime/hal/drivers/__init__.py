"""One module for each driver; see `tesselle.runtime.hal.device.Driver`."""
