"""Settings, all from the environment; `.env.example` names and explains each variable."""

from datetime import timedelta
from pathlib import Path

import environ

from cloudmart.databases import database_from
from cloudmart.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="only-for-debugging") if DEBUG else env("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# --- The shop -----------------------------------------------------------------------------------

CURRENCY = env("CURRENCY", default="JPY")
HOME_REGION = env("HOME_REGION", default="JP")
SAGA_STYLE = env("SAGA_STYLE", default="orchestration")
RESERVATION_TTL = timedelta(seconds=env.int("RESERVATION_TTL", default=15 * 60))
MAX_LINES_PER_ORDER = env.int("MAX_LINES_PER_ORDER", default=100)
MAX_QUANTITY_PER_LINE = env.int("MAX_QUANTITY_PER_LINE", default=1000)

# --- The providers ------------------------------------------------------------------------------

PAYMENT_GATEWAY = env("PAYMENT_GATEWAY", default="payments.gateways.mock.MockGateway")
CARRIER = env("CARRIER", default="shipping.carriers.mock.MockCarrier")
PROVIDER_TRIES = env.int("PROVIDER_TRIES", default=3)
PROVIDER_BACKOFF = env.float("PROVIDER_BACKOFF", default=0.1)

# --- Django -------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "cloudmart",
    "orders",
    "inventory",
    "payments",
    "shipping",
    "sagas",
]

MIDDLEWARE = [
    "cloudmart.api.requests.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "cloudmart.urls"
WSGI_APPLICATION = "cloudmart.wsgi.application"
APPEND_SLASH = False

DATABASES = {
    "default": database_from(
        env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'cloudmart.sqlite3'}"),
        max_age=env.int("CONN_MAX_AGE", default=60),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

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
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "cloudmart.api.pagination.NewestFirst",
    "EXCEPTION_HANDLER": "cloudmart.api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_TTL": timedelta(days=env.int("TOKEN_TTL_DAYS", default=30)),
}

LOGGING = logging_config(level=env("LOG_LEVEL", default="INFO"), stream=env("LOG_STREAM", default="stdout"))
