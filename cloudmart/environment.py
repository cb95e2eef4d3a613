"""The environment, in which NAME_FILE may name a file with the value of NAME."""

import environ
from environ.fileaware_mapping import FileAwareMapping


class VariablesAndFiles(FileAwareMapping):
    """Values from the environment or from files. The line break at the end of a file is no part of its value."""

    def __getitem__(self, key: str) -> str:
        value: str = super().__getitem__(key)
        return value.rstrip("\r\n")


class Environment(environ.Env):
    ENVIRON = VariablesAndFiles()
