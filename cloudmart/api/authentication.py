"""Bearer tokens: knox's, found by their digest."""

from typing import Any

from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.exceptions import AuthenticationFailed


class TokenAuthentication(KnoxTokenAuthentication):
    """Knox looks up all tokens of the user, to delete the expired ones; this is one seek, with user and customer."""

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        try:
            digest = hash_token(token.decode())
        except (TypeError, ValueError):
            raise AuthenticationFailed("Invalid token.") from None
        known = get_token_model().objects.select_related("user__customer").filter(digest=digest).first()
        if known is None or (known.expiry and known.expiry < timezone.now()):
            raise AuthenticationFailed("Invalid token.")
        return self.validate_user(known)
