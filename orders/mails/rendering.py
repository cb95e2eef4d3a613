"""The texts of mails: one template for each language and outcome, whose first line is the subject."""

import re
from dataclasses import dataclass
from typing import Any

from django.template import Context, Engine

from cloudmart.kernel.money import formatted
from cloudmart.kernel.text import UNSTORABLE
from orders.mails.recording import STORED
from orders.models import Language, Mail

SUBJECT = "Subject: "
GAP = re.compile(r"\n{3,}")
AMOUNTS = ("subtotal", "discount", "tax", "total", "charged", "refunded", "amount")


@dataclass(frozen=True, slots=True)
class Text:
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount in minor units, written as people write it in this language. Zero is false."""

    minor_units: int
    language: str

    def __bool__(self) -> bool:
        return bool(self.minor_units)

    def __str__(self) -> str:
        return formatted(self.minor_units, self.language)


def language_of(mail: Mail) -> Language:
    """Returns the language in which it was sent before, else that of the customer."""
    return Language(mail.language or mail.order.customer.language)


def text_of(mail: Mail) -> Text:
    """Returns the text of the mail. It is the same each time, unless the customer's name or the template changes."""
    language = language_of(mail)
    context = {**_values(mail, language), "name": one_line(mail.order.customer.name)}
    template = Engine.get_default().get_template(f"mails/{language}/{mail.outcome}.txt")
    written = GAP.sub("\n\n", template.render(Context(context, autoescape=False))).strip()
    subject, _, body = written.removeprefix(SUBJECT).partition("\n")
    return Text(subject.strip(), f"{body.strip()}\n")


def one_line(text: str) -> str:
    """Returns the text without control characters and line breaks."""
    return " ".join(UNSTORABLE.sub(" ", text).split())


def _values(mail: Mail, language: str) -> dict[str, Any]:
    """Returns the values that the templates insert. Each is one line."""
    data = _in_one_line(STORED.read(mail.data))
    amounts = {name: Amount(data[name], language) for name in AMOUNTS if name in data}
    lines = [_line(line, language) for line in data["lines"]]
    return {**data, **amounts, "lines": lines, "order_id": str(mail.order_id)}


def _line(line: dict[str, Any], language: str) -> dict[str, Any]:
    price, quantity = line["unit_price"], line["quantity"]
    return {**line, "unit_price": Amount(price, language), "total": Amount(price * quantity, language)}


def _in_one_line(value: Any) -> Any:
    match value:
        case str():
            return one_line(value)
        case list():
            return [_in_one_line(each) for each in value]
        case dict():
            return {name: _in_one_line(each) for name, each in value.items()}
    return value
