"""The camelCase responses of the API's description: made of those in snake_case, by a hook of drf-spectacular."""

from typing import Any

from cloudmart.api.camel_case import camel_case, camel_cased
from cloudmart.api.problems import CONTENT_TYPE
from cloudmart.api.renderers import CAMEL, case_of

SUFFIX = "CamelCase"
"""What the name of a component in camelCase ends with."""
COMPONENTS = "#/components/schemas/"
NAMES = "properties"
"""The keyword of JSON Schema whose members are names."""
DATA = ("example", "examples", "default")
"""The keywords whose values are data, not schemas."""


def describe_camel_case(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Gives the camelCase media type of each response the schema of the plain one in camelCase, and its examples.

    Problems, of which there are hundreds, have examples in the plain one only.
    """
    components = CamelCaseComponents(result["components"]["schemas"])
    operations = [operation for path in result["paths"].values() for operation in path.values()]
    for response in (response for operation in operations for response in operation["responses"].values()):
        content = response.get("content", {})
        for media_type in content:
            if case_of(media_type) == CAMEL:
                plain = media_type.partition(";")[0]
                content[media_type] = {"schema": components.schema(content[plain]["schema"])}
                if plain != CONTENT_TYPE:
                    content[media_type] |= examples_of(content[plain])
    result["components"]["schemas"] |= components.made
    return result


def examples_of(media: dict[str, Any]) -> dict[str, Any]:
    """Returns the examples of a media type in camelCase, if it has some."""
    examples = media.get("examples", {}).items()
    in_camel_case = {name: {**example, "value": camel_cased(example["value"])} for name, example in examples}
    return {"examples": in_camel_case} if in_camel_case else {}


class CamelCaseComponents:
    """Makes a component in camelCase of each one that is referred to and has such names."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self._schemas = schemas
        self._references: dict[str, str] = {}
        self.made: dict[str, Any] = {}

    def schema(self, schema: Any) -> Any:
        """Returns this part of a schema in camelCase."""
        if isinstance(schema, list):
            return [self.schema(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        return {keyword: self._value(keyword, value) for keyword, value in schema.items()}

    def _value(self, keyword: str, value: Any) -> Any:
        if keyword == "$ref":
            return self._reference(value)
        if keyword == NAMES:
            return {camel_case(name): self.schema(each) for name, each in value.items()}
        if keyword == "required":
            return list(map(camel_case, value))
        return camel_cased(value) if keyword in DATA else self.schema(value)

    def _reference(self, reference: str) -> str:
        """Returns the reference to the component in camelCase, which is the same one if it has no such names."""
        if reference not in self._references:
            name = reference.removeprefix(COMPONENTS)
            schema = self.schema(self._schemas[name])
            is_same = schema == self._schemas[name]
            self._references[reference] = reference if is_same else f"{reference}{SUFFIX}"
            if not is_same:
                self.made[f"{name}{SUFFIX}"] = schema
        return self._references[reference]
