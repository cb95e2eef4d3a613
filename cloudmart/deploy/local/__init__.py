"""The scaled topology on one machine: every component is a process on a private port of the loopback interface."""
