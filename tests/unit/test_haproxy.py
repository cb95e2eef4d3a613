"""The check of cloudmart/deploy/haproxy.cfg: the bytes that it sends to a database node are the packets it says."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_database

CONFIG = (Path(__file__).resolve().parents[2] / "cloudmart" / "deploy" / "haproxy.cfg").read_text()
QUERY, QUIT = b"\x03", b"\x01"
"""Commands of MySQL's protocol."""


def packets():
    """Returns the number and the payload of each packet that is sent; a packet begins with its length and number."""
    for sent in re.findall(r"tcp-check send-binary ([0-9a-f]+)", CONFIG):
        packet = bytes.fromhex(sent)
        assert int.from_bytes(packet[:3], "little") == len(packet) - 4
        yield packet[3], packet[4:]


def test_the_check_signs_in_without_a_password_reads_whether_the_node_is_writable_and_quits():
    (number, sign_in), query, quits = packets()
    assert number == 1  # it follows the server's greeting
    assert sign_in[32:].split(b"\0") == [b"haproxy_check", b"", b"caching_sha2_password", b""]
    assert query == (0, QUERY + b"SELECT @@global.read_only")
    assert quits == (0, QUIT)


def test_only_a_node_that_is_not_read_only_passes_the_check():
    row = b"\x01" + b"0"  # one column: the length of its text, and the text
    assert f'expect comment "one row: 0" binary {len(row):02x}000004{row.hex()}' in CONFIG
