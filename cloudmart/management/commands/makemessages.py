"""Django's makemessages, which also finds texts that no call of gettext names. bin/messages calls it."""

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import polib
from django import conf
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError
from django.core.management.commands import makemessages

from cloudmart.api import catalogue
from cloudmart.pages.names import translatable_names

GENERATED = Path("extracted_texts")
"""A folder that exists while this command runs."""

Key = tuple[str, str | None]


class Command(makemessages.Command):
    help = (
        "Writes the texts of our code and templates to locale/, with the names of models and fields, the sentences of "
        "problems, and those texts of django-unfold that no installed app translates. Compiles the file."
    )

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.add_argument("--check", action="store_true", help="change nothing; fail if a text is missing")
        parser.set_defaults(locale=["ja"], no_wrap=True, no_location=True, ignore_patterns=["tests", "benchmarks"])

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        self.check_only = check
        import_module(settings.ROOT_URLCONF)  # and with it every error
        try:
            write_generated_files()
            super().handle(*args, **options)
        finally:
            shutil.rmtree(GENERATED, ignore_errors=True)

    def write_po_file(self, potfile: str, locale: str) -> None:
        """Adds new texts to the file of the language, and marks those as obsolete that are gone. Guesses nothing."""
        path = Path(potfile).parent / locale / "LC_MESSAGES" / f"{self.domain}.po"
        messages, template = polib.pofile(path, wrapwidth=0), polib.pofile(potfile)
        elsewhere = translated_by_apps(locale)
        translated = {key_of(entry) for entry in messages.translated_entries()}
        template[:] = [each for each in template if key_of(each) in translated or key_of(each) not in elsewhere]
        if self.check_only:
            self.check_texts(template, translated)
            return
        for entry in template:
            entry.msgstr_plural = {0: ""} if entry.msgid_plural else {}  # Japanese has one form
        messages.merge(template)
        messages.sort(key=lambda entry: (entry.obsolete, entry.msgid))
        messages.metadata.pop("POT-Creation-Date", None)
        messages.save()
        messages.save_as_mofile(path.with_suffix(".mo"))

    def check_texts(self, template: polib.POFile, translated: set[Key]) -> None:
        if missing := [entry.msgid for entry in template if key_of(entry) not in translated]:
            raise CommandError("Without a translation; run make messages:\n" + "\n".join(missing))


def key_of(entry: polib.POEntry) -> Key:
    return entry.msgid, entry.msgctxt


def translated_by_apps(locale: str) -> set[Key]:
    """Returns the texts that Django and the installed apps translate themselves."""
    folders = [str(Path(conf.__file__).parent), *(app.path for app in apps.get_app_configs())]
    catalogues = (Path(folder, "locale", locale, "LC_MESSAGES", "django.mo") for folder in folders)
    return {key_of(entry) for path in catalogues if path.exists() for entry in polib.mofile(path).translated_entries()}


def write_generated_files() -> None:
    """Writes texts that makemessages does not look for into files in which it does."""
    for config in apps.get_app_configs():
        if config.name.partition(".")[0] == "unfold":
            uninstalled = shutil.ignore_patterns("contrib", "static", "locale")
            shutil.copytree(config.path, GENERATED / config.label, ignore=uninstalled, dirs_exist_ok=True)
    texts = sorted(translatable_names() | catalogue.sentences())
    Path(GENERATED, "names.py").write_text("".join(f"_({text!r})\n" for text in texts))
