"""Why something has failed, in responses."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class FailureOutput(serializers.Serializer[Any]):
    """A problem's code and sentence. The details of the code, if any, are further members."""

    code = serializers.CharField()
    detail = serializers.CharField()


@extend_schema_field(FailureOutput)
class FailureField(serializers.DictField):
    """A failure as a record has it stored; null if there is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)
