"""What has happened to an order and when, as bars on one axis: the same for both styles."""
