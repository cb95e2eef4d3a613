"""Bearer tokens of django-rest-knox."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.exceptions import AuthenticationFailed

from cloudmart.database.prepared import Select

FIND = Select(lambda digest: get_token_model().objects.select_related("user__customer").filter(digest=digest))


class TokenAuthentication(KnoxTokenAuthentication):
    """Finds the token, its user and the customer by the digest, in one query; knox reads all tokens of the user."""

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        try:
            digest = hash_token(token.decode())
        except (TypeError, ValueError):
            raise AuthenticationFailed(gettext_noop("Invalid token.")) from None
        found = FIND.first(digest=digest)
        if found is None or (found.expiry and found.expiry < timezone.now()):
            raise AuthenticationFailed(gettext_noop("Invalid token."))
        return self.validate_user(found)
