"""The options of Django's cache."""

from typing import Any

REDIS = "django.core.cache.backends.redis.RedisCache"
SHARED_CACHE = "cloudmart.api.shared_cache.SharedCache"


def cache_from(url: dict[str, Any]) -> dict[str, Any]:
    """Returns the entry of CACHES for a parsed CACHE_URL; for Redis, of which there is one, with our own backend."""
    backend = SHARED_CACHE if url["BACKEND"] == REDIS else url["BACKEND"]
    return {**{name.upper(): value for name, value in url.items()}, "BACKEND": backend}
