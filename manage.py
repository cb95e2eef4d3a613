#!/usr/bin/env python
"""Django's command line for CloudMart."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
    os.environ.setdefault("LOG_STREAM", "stderr")  # stdout is for what a command was asked to print
    execute_from_command_line(sys.argv)
