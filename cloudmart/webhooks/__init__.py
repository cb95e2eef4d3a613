"""Webhooks to other systems: endpoints, deliveries, and their sending, by the Standard Webhooks specification."""
