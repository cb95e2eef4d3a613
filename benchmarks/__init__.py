"""How fast CloudMart takes orders, beside the fastest that its database could. See README.md."""
