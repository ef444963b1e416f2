"""The datasets: one file per entry, the folder listing is the catalogue."""
