"""Numbers made readable: pages and cards."""
