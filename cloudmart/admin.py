"""The admin of the models that every context shares."""

from django.contrib import admin

from cloudmart.api.admin import ReadOnlyAdmin
from cloudmart.models import IdempotencyKey

admin.site.site_header = admin.site.site_title = "CloudMart"


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ["scope", "order_id", "status_code", "created_at", "expires_at"]
    search_fields = ["scope", "order_id"]
