"""Path converters."""

from django.urls.converters import StringConverter

from cloudmart.api.fields import bare
from cloudmart.database.fields import CODE


class CodeConverter(StringConverter):
    """The code of a book. Other text never reaches the database: to MySQL `book-123` and `book-123 ` are equal."""

    regex = bare(CODE)
