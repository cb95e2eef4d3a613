"""Settings, all from the environment; `.env.example` names and explains each variable."""

import os
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cloudmart.api.caches import cache_from
from cloudmart.api.content_security import POLICY
from cloudmart.api.openapi import OPENAPI
from cloudmart.database.options import database_from, replica_from
from cloudmart.environment import Environment
from cloudmart.logs import logging_config
from cloudmart.pages.theme import THEME
from cloudmart.profiles import current_profile

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))
profile = current_profile()

PROFILE = profile.name
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="only-for-debugging") if DEBUG else env("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# --- HTTPS --------------------------------------------------------------------------------------

HTTPS = env.bool("HTTPS", default=profile.https)
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz\Z", r"^readyz\Z", r"^metrics\Z"]
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=365 * 24 * 60 * 60) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.bool("HSTS_WHOLE_DOMAIN", default=True)

CONTENT_SECURITY_POLICY = POLICY

# --- The shop -----------------------------------------------------------------------------------

CURRENCY = env("CURRENCY", default="JPY")
HOME_REGION = env("HOME_REGION", default="JP")
SHOP_TIME_ZONE = ZoneInfo(env("SHOP_TIME_ZONE", default="Asia/Tokyo"))
PICKUP_POSTAL_CODE = env("PICKUP_POSTAL_CODE", default=profile.pickup_postal_code)
PICKUP_ADDRESS = env("PICKUP_ADDRESS", default=profile.pickup_address)
SAGA_STYLE = env("SAGA_STYLE", default="orchestration")
RESERVATION_TTL = timedelta(seconds=env.int("RESERVATION_TTL", default=15 * 60))
RESERVATION_CAP = timedelta(seconds=env.int("RESERVATION_CAP", default=60 * 60))
SHELF_SHARDS = env.int("SHELF_SHARDS", default=1)
IDEMPOTENCY_KEY_TTL = timedelta(seconds=env.int("IDEMPOTENCY_KEY_TTL", default=24 * 60 * 60))
LEASE = timedelta(seconds=env.float("LEASE", default=15))
SAGA_DEADLINE = timedelta(seconds=env.float("SAGA_DEADLINE", default=10 * 60))
REQUEST_BUDGET = env.float("REQUEST_BUDGET", default=10)
SAGA_BACKOFF = timedelta(seconds=env.float("SAGA_BACKOFF", default=2))
SAGA_MAX_BACKOFF = timedelta(seconds=env.float("SAGA_MAX_BACKOFF", default=5 * 60))
ATTENTION_AFTER = env.int("ATTENTION_AFTER", default=5)
STALE_INTENT = timedelta(seconds=env.float("STALE_INTENT", default=60))
AUDIT_GRACE = timedelta(seconds=env.int("AUDIT_GRACE", default=60))
MAX_OPEN_DRAFTS = env.int("MAX_OPEN_DRAFTS", default=10)
MAX_LINES_PER_ORDER = env.int("MAX_LINES_PER_ORDER", default=100)
MAX_QUANTITY_PER_LINE = env.int("MAX_QUANTITY_PER_LINE", default=1000)
PAGE_SIZE = env.int("PAGE_SIZE", default=50)
MAX_PAGE_SIZE = env.int("MAX_PAGE_SIZE", default=200)
MAX_BODY_SIZE = DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_BODY_SIZE", default=256 * 1024)

# --- The web server ------------------------------------------------------------------------------

WEB_SERVERS = env.int("WEB_SERVERS", default=1)
WEB_WORKERS = env.int("WEB_WORKERS", default=len(os.sched_getaffinity(0)))
WORKERS, CELERY_WORKERS = env.int("WORKERS", default=1), env.int("CELERY_WORKERS", default=0)
CELERY_CONCURRENCY = env.int("CELERY_CONCURRENCY", default=4)
WEB_THREADS, WEB_WAITING = env.int("WEB_THREADS", default=2), env.int("WEB_WAITING", default=500)
REQUEST_BODY_TIMEOUT = env.float("REQUEST_BODY_TIMEOUT", default=10)
REQUEST_QUEUE_TIMEOUT = env.float("REQUEST_QUEUE_TIMEOUT", default=10)
RESPONSE_READ_TIMEOUT = env.float("RESPONSE_READ_TIMEOUT", default=30)

# --- The providers ------------------------------------------------------------------------------

PAYMENT_GATEWAY = env("PAYMENT_GATEWAY", default="payments.gateways.mock.MockGateway")
PAYMENT_GATEWAY_URL = env("PAYMENT_GATEWAY_URL", default="http://127.0.0.1:8001/payments")
CARRIER = env("CARRIER", default="shipping.carriers.mock.MockCarrier")
CARRIER_URL = env("CARRIER_URL", default="http://127.0.0.1:8001/carrier")
CARRIER_WEBHOOK_SECRET = env.list("CARRIER_WEBHOOK_SECRET", default=[])
CARRIER_POLL_INTERVAL = timedelta(seconds=env.float("CARRIER_POLL_INTERVAL", default=60 * 60))
CARRIER_POLL_RATE = env.float("CARRIER_POLL_RATE", default=10)
ALLOW_MAGIC_TOKENS = env.bool("ALLOW_MAGIC_TOKENS", default=profile.allow_magic_tokens)
WALLET_BALANCE = env.int("WALLET_BALANCE", default=1_000_000)
WALLET_LIMIT = env.int("WALLET_LIMIT", default=100_000)
WALLET_DAILY_LIMIT = env.int("WALLET_DAILY_LIMIT", default=0)
PROVIDER_TEXTS = env("PROVIDER_TEXTS", default="plain")
PROVIDER_CONNECT_TIMEOUT = env.float("PROVIDER_CONNECT_TIMEOUT", default=1.0)
PROVIDER_READ_TIMEOUT = env.float("PROVIDER_READ_TIMEOUT", default=5.0)
PROVIDER_DEADLINE = env.float("PROVIDER_DEADLINE", default=10.0)
PROVIDER_TRIES = env.int("PROVIDER_TRIES", default=3)
PROVIDER_BACKOFF = env.float("PROVIDER_BACKOFF", default=0.1)

# --- Mails to customers, and webhooks -------------------------------------------------------------

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = env.float("EMAIL_TIMEOUT", default=10)
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="CloudMart <orders@cloudmart.example>")
MAIL_REPLY_TO = env("MAIL_REPLY_TO", default=DEFAULT_FROM_EMAIL)
MAIL_LEASE = timedelta(seconds=env.float("MAIL_LEASE", default=2 * 60))
MAIL_BACKOFF = timedelta(seconds=env.float("MAIL_BACKOFF", default=30))
MAIL_MAX_BACKOFF = timedelta(seconds=env.float("MAIL_MAX_BACKOFF", default=15 * 60))
MAIL_RETRY_FOR = timedelta(seconds=env.float("MAIL_RETRY_FOR", default=3 * 24 * 60 * 60))
MAIL_RETENTION = timedelta(days=env.float("MAIL_RETENTION_DAYS", default=90))
WEBHOOK_PRIVATE_ADDRESSES = env.bool("WEBHOOK_PRIVATE_ADDRESSES", default=profile.webhook_private_addresses)
WEBHOOK_SENDERS, WEBHOOK_TIMEOUT = env.int("WEBHOOK_SENDERS", default=16), env.float("WEBHOOK_TIMEOUT", default=10)
WEBHOOK_BACKOFF = timedelta(seconds=env.float("WEBHOOK_BACKOFF", default=5))
WEBHOOK_MAX_BACKOFF = timedelta(seconds=env.float("WEBHOOK_MAX_BACKOFF", default=60 * 60))
WEBHOOK_RETRY_FOR = timedelta(seconds=env.float("WEBHOOK_RETRY_FOR", default=3 * 24 * 60 * 60))
WEBHOOK_RETENTION = timedelta(days=env.float("WEBHOOK_RETENTION_DAYS", default=30))
WEBHOOK_SECRET_OVERLAP = timedelta(seconds=env.float("WEBHOOK_SECRET_OVERLAP", default=24 * 60 * 60))

# --- Django -------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "axes",
    "cloudmart",
    "orders",
    "inventory",
    "payments",
    "shipping",
    "sagas",
]

MIDDLEWARE = [
    "cloudmart.api.requests.RequestLog",
    "cloudmart.api.content_security.content_security_policy",
    "cloudmart.api.caching.no_store",
    "cloudmart.api.languages.language_and_time_zone",
    "cloudmart.api.bodies.require_utf8",
    "cloudmart.api.bodies.limit_body_size",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "cloudmart.api.browsers.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "cloudmart.api.browsers.AuthenticationMiddleware",
    "cloudmart.api.browsers.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "cloudmart" / "templates"],  # before unfold's
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

ROOT_URLCONF = "cloudmart.urls"
WSGI_APPLICATION = "cloudmart.wsgi.application"
APPEND_SLASH = False

CONN_MAX_AGE = env.int("CONN_MAX_AGE", default=60)
DATABASES = {
    "default": database_from(
        env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'cloudmart.sqlite3'}"), CONN_MAX_AGE
    )
}
if env.str("DATABASE_REPLICA_URL", default=""):
    DATABASES["replica"] = replica_from(env.db_url("DATABASE_REPLICA_URL"), CONN_MAX_AGE)
    DATABASE_ROUTERS = ["cloudmart.database.replica.ReplicaRouter"]
DATABASE_SINGLE_WRITER = env.bool("DATABASE_SINGLE_WRITER", default=False)
TRANSACTION_BUDGET = env.float("TRANSACTION_BUDGET", default=15)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

BROKER_URL = env("BROKER_URL", default="")
EVENTS_URL = env("EVENTS_URL", default="")
EVENTS_PARTITIONS, EVENTS_KEPT = env.int("EVENTS_PARTITIONS", default=8), env.int("EVENTS_KEPT", default=20_000)
EVENTS_NOTIFY = env.bool("EVENTS_NOTIFY", default=False)
EVENT_SOURCE = env("EVENT_SOURCE", default="urn:cloudmart")
CACHES = {"default": cache_from(env.cache_url("CACHE_URL", default="locmemcache://?max_entries=100000"))}

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_HANDLER = "cloudmart.api.lockout.LoginAttempts"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username", "ip_address"]
AXES_FAILURE_LIMIT = env.int("LOGIN_TRIES", default=5)
LOGIN_TRIES_PER_USER = env.int("LOGIN_TRIES_PER_USER", default=15)
LOGIN_TRIES_PER_ADDRESS = env.int("LOGIN_TRIES_PER_ADDRESS", default=30)
AXES_COOLOFF_TIME = timedelta(seconds=env.int("LOGIN_LOCKOUT", default=15 * 60))
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "cloudmart.api.throttling.address_of"
AXES_VERBOSE = False

LOGIN_REDIRECT_URL = "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE, TIME_ZONE = "en", "UTC"
LANGUAGES = [("en", "English"), ("ja", "Japanese")]
LOCALE_PATHS, FORMAT_MODULE_PATH = [BASE_DIR / "locale"], "cloudmart.pages.formats"

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

# --- The API ------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "cloudmart.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["cloudmart.api.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer", "cloudmart.api.renderers.CamelCaseRenderer"],
    "DEFAULT_METADATA_CLASS": "cloudmart.api.metadata.MediaTypes",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "cloudmart.api.negotiation.CaseNegotiation",
    "DEFAULT_FILTER_BACKENDS": [
        "cloudmart.api.filtering.KnownParameters",
        "django_filters.rest_framework.DjangoFilterBackend",
        "cloudmart.api.filtering.StrictOrdering",
    ],
    "DEFAULT_THROTTLE_CLASSES": [
        "cloudmart.api.throttling.UserThrottle",
        "cloudmart.api.throttling.AnonymousThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "user": env.str("THROTTLE_USERS", default="600/min") or None,
        "anon": env.str("THROTTLE_STRANGERS", default="60/min") or None,
    },
    "NUM_PROXIES": TRUSTED_PROXIES,
    "DEFAULT_SCHEMA_CLASS": "cloudmart.api.schema.Schema",
    "EXCEPTION_HANDLER": "cloudmart.api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = OPENAPI
UNFOLD = THEME

REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": timedelta(days=env.int("TOKEN_TTL_DAYS", default=30))}

METRICS_TOKEN = env("METRICS_TOKEN", default="")
OTEL_EXPORTER_OTLP_ENDPOINT = env("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
if OTEL_EXPORTER_OTLP_ENDPOINT:
    MIDDLEWARE.insert(0, "cloudmart.api.server_spans.server_span")

LOGGING = logging_config(level=env("LOG_LEVEL", default="INFO"), stream=env("LOG_STREAM", default="stdout"))
