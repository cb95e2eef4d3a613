"""Long lists, a page at a time."""

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """By id, which grows with time: a page costs the same however deep it lies, and new rows shift nothing."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
