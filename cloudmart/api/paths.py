"""What a path can name besides what Django knows."""

from django.urls.converters import StringConverter

from cloudmart.api.fields import bare
from cloudmart.database.fields import CODE


class CodeConverter(StringConverter):
    """The code of a book. Whatever is none is not looked up: to MySQL `book-123` and `book-123 ` are equal."""

    regex = bare(CODE)
