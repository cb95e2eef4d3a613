"""The chaos suite: the components of a whole topology die under load."""

import pytest

pytest.register_assert_rewrite("tests.chaos.checks")
