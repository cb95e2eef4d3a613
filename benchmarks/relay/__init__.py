"""What it costs orders that their events leave the shop while they are placed."""
