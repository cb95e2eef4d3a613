"""The report of the promised figures: 50 users who order under failures, and what is left of every order."""
