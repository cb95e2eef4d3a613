"""Deployment: the configuration of what runs beside the shop, and the topology on one machine."""
