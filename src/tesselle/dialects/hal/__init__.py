"""hal: buffers, views, command buffers, fences; one executable variant per target."""
