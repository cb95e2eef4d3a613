"""How often a test with random input repeats it. The input differs from run to run, and CI takes the time for more."""

import os


def rounds(quick: int, *, ci: int) -> int:
    return ci if "CI" in os.environ else quick
