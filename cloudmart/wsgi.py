"""Django as a WSGI application. The web server loads it through asgi.py."""

import os

from django.core.wsgi import get_wsgi_application

from cloudmart.api.charsets import hide_charsets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
application = hide_charsets(get_wsgi_application())
