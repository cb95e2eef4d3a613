"""Prints a new API token of a user."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from knox.models import get_token_model


class Command(BaseCommand):
    help = "Print a new API token of USERNAME, and nothing else. The database stores only its hash."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--replace", action="store_true", help="delete the user's other tokens")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['username']!r}.")
        tokens = get_token_model().objects
        if options["replace"]:
            tokens.filter(user=user).delete()
        _, token = tokens.create(user=user)
        self.stdout.write(token)
