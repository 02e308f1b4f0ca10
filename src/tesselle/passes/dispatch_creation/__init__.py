"""Dispatch creation: which operations run together on the device, and their outlining into executables."""
