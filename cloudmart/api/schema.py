"""The OpenAPI description: what drf-spectacular cannot derive by itself.

Each operation lists the problems of its responses: those that its handler `@refuses` with, and those that depend on
the user, the body or the idempotency key.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object, force_instance, get_lib_doc_excludes
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, AllowAny

from cloudmart.api.aliases import one_of, schema_with_aliases, wrapped
from cloudmart.api.catalogue import CATALOGUE, meaning_of
from cloudmart.api.claims import HEADER, LONGEST_KEY, REPLAYED
from cloudmart.api.deadlines import APPLIED, PREFER, RESPOND_ASYNC, RETRY_AFTER, RespondsUnfinished
from cloudmart.api.fields import SharedFields, StrictSerializer, text_schema
from cloudmart.api.long_polling import LONGEST_WAIT, PARAMETER
from cloudmart.api.problems import CONTENT_TYPE, problem
from cloudmart.api.renderers import CamelCaseRenderer, in_camel_case

Handler = TypeVar("Handler", bound=Callable[..., Any])

ALWAYS = ("charset_not_supported", "not_acceptable", "throttled", "internal_error", "busy", "database_unavailable")
SIGNED_IN = ("not_authenticated", "authentication_failed")
WITH_BODY = ("invalid", "parse_error", "body_too_large", "unsupported_media_type")
CHANGING = ("permission_denied", "conflict")
WITH_KEY = ("idempotency_key_malformed", "idempotency_key_in_use", "idempotency_key_reused")

PREFER_PARAMETER = OpenApiParameter(
    PREFER,
    {"type": "string"},
    OpenApiParameter.HEADER,
    description=f"`{RESPOND_ASYNC}`: respond 202 once the command is stored, before any provider call. Location "
    "leads to the outcome.",
)

WAIT_PARAMETER = OpenApiParameter(
    PARAMETER,
    {"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT},
    description="Respond once the order is finished, at the latest after so many seconds; the shop has a limit of its "
    "own, 10 by default. An order that is not finished by then is shown as it is.",
)

VISIBLE = r"[\x21-\x7e\xa1-\xff]"
KEY = rf"^{VISIBLE}([\x20-\x7e\xa0-\xff]*{VISIBLE})?\Z"
"""The characters of an HTTP header, without control characters."""

KEY_PARAMETER = OpenApiParameter(
    HEADER,
    text_schema(KEY, maxLength=LONGEST_KEY),
    OpenApiParameter.HEADER,
    description="A new key for each new request, and the same key for each repeat. A repeat changes nothing and gets "
    "the response of the first request. Kept for a day.",
)


class HasCode(Protocol):
    """An error class of the API."""

    code: str


def refuses(*errors: type[HasCode]) -> Callable[[Handler], Handler]:
    """Declares, for the documentation, the errors that a handler, view or guard raises."""

    def declare(handler: Handler) -> Handler:
        handler.refusals = [error.code for error in errors]  # type: ignore[attr-defined]
        return handler

    return declare


class FieldErrorOutput(serializers.Serializer[Any]):
    """What is wrong with one field of a request."""

    field = serializers.CharField(help_text="Its path, such as `items.0.quantity`; empty: the request as a whole")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemOutput(serializers.Serializer[Any]):
    """RFC 9457 problem details, with advice for the client. The details of the code, if any, are further members."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.ChoiceField(sorted(CATALOGUE))
    advice = serializers.CharField()
    request_id = serializers.CharField(required=False)
    errors = FieldErrorOutput(  # type: ignore[assignment]
        many=True, required=False, help_text="Of `invalid`: what to correct"
    )


class Schema(AutoSchema):
    """The description of one operation."""

    @property
    def handler(self) -> Any:
        return getattr(self.view, self.method.lower())

    def get_tags(self) -> list[str]:
        first = self.path.split("/")[1]
        return [first if first in {tag["name"] for tag in spectacular_settings.TAGS} else "server"]

    def get_description(self) -> str:  # type: ignore[override]
        """Returns the handler's description, and the permission that it needs."""
        permissions = () if self.method in SAFE_METHODS else getattr(self.view, "permission_classes", ())
        notes = [permission.note() for permission in permissions if hasattr(permission, "note")]
        return "\n\n".join([super().get_description(), *notes])

    def get_override_parameters(self) -> list[Any]:
        parameters = {"honours_key": KEY_PARAMETER, "may_respond_async": PREFER_PARAMETER, "waits": WAIT_PARAMETER}
        return [parameter for mark, parameter in parameters.items() if self._has(mark)]

    def _has(self, mark: str) -> bool:
        return getattr(self.handler, mark, False)

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Requires what a response takes from a model, which is always there: `required` is about requests only."""
        schema = super()._map_basic_serializer(serializer, direction)
        if direction == "response" and isinstance(serializer, serializers.ModelSerializer):
            made = schema["properties"].keys() - serializer._declared_fields.keys()
            schema["required"] = sorted(made | set(schema.get("required", ())))
        return schema

    def _get_request_for_media_type(self, serializer: Any, direction: Any = "request") -> Any:
        """Returns the forms of a body side by side: generated clients have no type for one `oneOf` in another."""
        forms = [force_instance(form) for form in getattr(serializer, "serializers", [serializer])]
        described = [super(Schema, self)._get_request_for_media_type(form, direction) for form in forms]
        schemas, is_required = [schema for schema, _ in described], all(needed for _, needed in described)
        inputs = [form for form in forms if isinstance(form, StrictSerializer)]
        wrappers = sorted({form.wrapper for form in inputs if form.wrapper})
        schema = one_of([*schemas, *(wrapped(schemas, wrapper) for wrapper in wrappers)])
        return schema, is_required or (bool(inputs) and not any(form.may_be_empty for form in inputs))

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        if self._has("honours_key"):
            for body in bodies.values():
                body.setdefault("headers", {})[REPLAYED] = {
                    "schema": {"type": "string", "enum": ["true"]},
                    "description": "The response to an earlier request with this key.",
                }
        if self._has("may_respond_async"):
            bodies["202"].setdefault("headers", {})[APPLIED] = {
                "schema": {"type": "string", "enum": [RESPOND_ASYNC]},
                "description": "A worker continues the command, as the client preferred.",
            }
        if "202" in bodies and isinstance(self.view, RespondsUnfinished):
            bodies["202"].setdefault("headers", {})[RETRY_AFTER] = {
                "schema": {"type": "integer", "minimum": 1},
                "description": "Seconds after which to ask again.",
            }
        component = self.resolve_serializer(ProblemOutput, direction)
        for status, codes in by_status(self._problems()).items():
            bodies.setdefault(str(status), self._problem_body(component.ref, codes))
        return bodies

    def map_renderers(self, attribute: str) -> list[Any]:
        """Returns the media types with their parameters, which the base class drops."""
        return list(dict.fromkeys(getattr(renderer, attribute) for renderer in self.view.get_renderers()))

    def _problem_body(self, schema: dict[str, Any], codes: list[str]) -> dict[str, Any]:
        body = problem_body(schema, codes)
        if CamelCaseRenderer in self.view.renderer_classes:
            body["content"][in_camel_case(CONTENT_TYPE)] = {}
        return body

    def _problems(self) -> Iterable[str]:
        yield from getattr(self.handler, "refusals", getattr(self.view, "refusals", ()))
        yield from ALWAYS
        permissions = getattr(self.view, "permission_classes", ())
        if AllowAny not in permissions:
            yield from SIGNED_IN
        for permission in permissions:
            yield from getattr(permission, "refusals", ())
        yield from getattr(getattr(self.view, "guard", None), "refusals", ())
        if self.method not in {"GET", "HEAD"}:
            yield from CHANGING
            yield from WITH_BODY
        if any(parameter["in"] == "query" for parameter in self._get_parameters()):
            yield "invalid"
        if self._is_list_view():
            yield "page_not_found"
        if "{" in self.path:
            yield "not_found"
        if self._has("honours_key"):
            yield from WITH_KEY


def by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    statuses: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        statuses.setdefault(CATALOGUE[code].status, []).append(code)
    return dict(sorted(statuses.items()))


def problem_body(schema: dict[str, Any], codes: list[str]) -> dict[str, Any]:
    """Returns the description of the response with these codes, with an example of each."""
    examples = {code: {"value": problem(code, **CATALOGUE[code].example)["data"]} for code in codes}
    body: dict[str, Any] = {
        "description": "\n".join(f"- `{code}`: {meaning_of(code)}" for code in codes),
        "content": {CONTENT_TYPE: {"schema": schema, "examples": examples}},
    }
    if any(CATALOGUE[code].retry_after or code == "throttled" for code in codes):
        body["headers"] = {RETRY_AFTER: {"schema": {"type": "string"}, "description": "Seconds to wait"}}
    return body


class StrictInput(OpenApiSerializerExtension):
    target_class = "cloudmart.api.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        rules = [*schema.get("allOf", []), *self.target.rules]
        return schema_with_aliases({**schema, "additionalProperties": False, "allOf": rules})


class BearerToken(OpenApiAuthenticationExtension):
    target_class = "cloudmart.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        scheme = build_bearer_security_scheme_object("Authorization", "Bearer")
        return {**scheme, "description": "`manage.py issue_token USERNAME` prints one."}


def bases() -> list[type]:
    """Returns the classes whose docstrings do not describe the classes derived from them."""
    return [SharedFields, StrictSerializer, *get_lib_doc_excludes()]


def add_links(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Links each response that contains an order's id to the operations on that order."""
    operations = [operation for path in result["paths"].values() for operation in path.values()]
    followers = {
        operation["operationId"]: {
            "operationId": operation["operationId"],
            "parameters": {"order_id": "$response.body#/order_id"},
        }
        for operation in operations
        if any(parameter["name"] == "order_id" for parameter in operation.get("parameters", ()))
    }
    for operation in operations:
        for status in {"201", "202"} & operation["responses"].keys():
            if operation["operationId"] not in followers:
                operation["responses"][status]["links"] = followers
    return result
