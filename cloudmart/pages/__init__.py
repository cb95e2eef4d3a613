"""What the pages of the admin have in common: their look, their sidebar, and their base classes."""
