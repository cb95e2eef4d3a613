"""Lockout after wrong passwords, which are limited per name and address, per name, and per address."""

from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessLog
from django.conf import settings
from django.db.models import QuerySet, Sum
from django.http import HttpRequest

KNOWN_FOR = timedelta(days=30)
"""How long after a login its address is a known address of the user."""

Credentials = dict[str, Any] | None


class LoginAttempts(AxesDatabaseHandler):
    """Counts wrong passwords in the database, for all processes of the server together."""

    def get_failures(self, request: HttpRequest, credentials: Credentials = None) -> int:
        """Returns the failures that axes compares with AXES_FAILURE_LIMIT, for the limit with the fewest tries left.

        The limit per name does not apply to a known address of the user, so that strangers cannot lock the user out.
        """
        both, per_user, per_address = map(failures_in, self.get_user_attempts(request, credentials))
        tries_left = [settings.AXES_FAILURE_LIMIT - both, settings.LOGIN_TRIES_PER_ADDRESS - per_address]
        if per_user < settings.LOGIN_TRIES_PER_USER or not is_known_address(request, credentials):
            tries_left.append(settings.LOGIN_TRIES_PER_USER - per_user)
        return int(settings.AXES_FAILURE_LIMIT - min(tries_left))

    def reset_user_attempts(self, request: HttpRequest, credentials: Credentials = None) -> int:
        """Deletes a user's wrong passwords after a login. Returns the number of rows deleted.

        The count of the address stays: otherwise anybody with an account could guess other passwords without limit.
        """
        own, *_ = self.filter_user_attempts(request, credentials)
        deleted, _ = own.delete()
        return int(deleted)


def failures_in(attempts: QuerySet[Any]) -> int:
    return attempts.aggregate(total=Sum("failures_since_start", default=0))["total"]


def is_known_address(request: Any, credentials: Credentials) -> bool:
    """Returns True if this user has signed in from this address within KNOWN_FOR."""
    return AccessLog.objects.filter(
        username=get_client_username(request, credentials),
        ip_address=request.axes_ip_address,
        attempt_time__gte=request.axes_attempt_time - KNOWN_FOR,
    ).exists()
