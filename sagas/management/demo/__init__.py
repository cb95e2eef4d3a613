"""Example orders of both saga styles, and the shop that they are placed in."""
