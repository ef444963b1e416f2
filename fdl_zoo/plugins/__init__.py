"""Plugins from the outside: those there are, what is wrong with one, and how a new one begins (DESIGN section 3)."""
