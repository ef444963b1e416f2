"""A finished run in use: loaded, evaluated, exported."""
