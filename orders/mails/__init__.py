"""Telling the customer by e-mail what has become of an order: recording, sending, resending and deleting mails."""
