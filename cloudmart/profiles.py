"""Profiles: the defaults of those settings that differ between a developer's machine and production.

PROFILE names one; without it, production's defaults apply. Each variable in the environment or in .env takes
precedence over the profile. Neither profile sets DEBUG: debug pages show settings to anybody, and the query log that
DEBUG turns on makes statements bypass `execute_directly`.
"""

import os
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Profile:
    """Defaults of the variables with the same names in upper case; `.env.example` explains them."""

    name: str
    https: bool
    allow_magic_tokens: bool
    webhook_private_addresses: bool
    log_format: str
    pickup_postal_code: str = ""
    pickup_address: str = ""


DEV = Profile(
    "dev",
    https=False,
    allow_magic_tokens=True,
    webhook_private_addresses=True,
    log_format="console",
    pickup_postal_code="100-0005",
    pickup_address="東京都千代田区丸の内1-9-1",
)
PROD = Profile("prod", https=True, allow_magic_tokens=False, webhook_private_addresses=False, log_format="json")
PROFILES = {profile.name: profile for profile in (DEV, PROD)}


def current_profile() -> Profile:
    """Returns the profile that PROFILE in the environment names, or PROD. Raises ImproperlyConfigured."""
    name = os.environ.get("PROFILE") or PROD.name
    if name not in PROFILES:
        raise ImproperlyConfigured(f"PROFILE is {name!r}; it must be {' or '.join(PROFILES)}.")
    return PROFILES[name]
