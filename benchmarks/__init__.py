"""Measures the speed of CloudMart against that of its database. See README.md."""
