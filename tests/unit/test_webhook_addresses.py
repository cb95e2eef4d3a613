"""Where webhooks may go: over https to public addresses, whatever the URL and the name server say."""

import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis.strategies import ip_addresses, sampled_from

from cloudmart.webhooks.addresses import (
    NOT_PUBLIC,
    NOT_PUBLIC_6,
    AddressRefused,
    allowed_addresses_of,
    check_url,
    is_public,
)
from cloudmart.webhooks.errors import InvalidEndpoint

PRIVATE = [
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254"),  # noqa: S104
    *("168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::", "2001::1", "2001:db8::1", "100::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1", "3fff::1"),
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.169.0.1", "223.255.0.1"),
    *("2606:4700:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808"),
]


@pytest.fixture
def production(settings):
    settings.WEBHOOK_PRIVATE_ADDRESSES = False


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address):
    assert is_public(address)


@given(sampled_from(NOT_PUBLIC).flatmap(lambda network: ip_addresses(network=network)))
def test_no_special_ipv4_address_is_public_in_any_notation(address: IPv4Address):
    mapped, translated = (
        IPv6Address(int(IPv6Address(prefix)) + int(address)) for prefix in ("::ffff:0:0", "64:ff9b::")
    )
    assert not any(is_public(str(each)) for each in (address, mapped, translated))


@given(sampled_from(NOT_PUBLIC_6).flatmap(lambda network: ip_addresses(network=network)))
def test_no_special_ipv6_address_is_public(address):
    assert not is_public(str(address))


@given(ip_addresses())
def test_what_python_calls_private_is_not_public(address):
    if not address.is_global and not getattr(address, "ipv4_mapped", None):
        assert not is_public(str(address))


@pytest.mark.parametrize(
    "text", ["", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "8.8.8.8.", "[::1]"]
)
def test_what_is_no_address_is_not_public(text):
    assert not is_public(text)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com/a/b?c=d",
        "https://hooks.example.com:8443/",
        "https://HOOKS.example.com:443/",
        "https://xn--bcher-kva.example/",
        "https://a_b.example.com/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]:8443/",
    ],
)
def test_a_url_of_a_public_host_is_accepted(production, url):
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.example.com", "//hooks.example.com/", "https:///path", "https://", "ftp://hooks.example.com/"),
        *("http://hooks.example.com/", "file:///etc/passwd", "gopher://hooks.example.com/", "javascript:alert(1)"),
        *("https://user@hooks.example.com/", "https://user:pass@hooks.example.com/", "https://@hooks.example.com/"),
        *("https://hooks.example.com@127.0.0.1/", "https://hooks.example.com#@127.0.0.1/", "https://a.example/#b"),
        *("https://hooks.example.com\\@127.0.0.1/", "https://hooks.example.com/\r\nX: y", "https://a.example/ b"),
        *("https://hooks.example.com:0/", "https://hooks.example.com:65536/", "https://hooks.example.com:x/"),
        *("https://hooks.example.com:22/", "https://hooks.example.com:25/", "https://hooks.example.com:80/"),
        *("https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://intranet/", "https://a.local/"),
        *("https://metadata.google.internal/", "https://a.localhost/", "https://a.home.arpa/"),
        *("https://127.0.0.1/", "https://127.0.0.1./", "https://127.1/", "https://2130706433/", "https://0x7f000001/"),
        *("https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://a.0x7f/", "https://1.2.3/", "https://0/"),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[::]/"),
        *("https://169.254.169.254/latest/meta-data/", "https://hooks.example.com./", "https://.example.com/"),
        *(
            "https://b\u00fccher.example/",
            "https://\u2460\u2461\u2466.0.0.1/",
            "https://a..example/",
            "https://-a.example/",
        ),
        *("https://[v1.a]/", "https://[::1/", "https://%31%32%37.0.0.1/", f"https://a.example/{'a' * 500}"),
    ],
)
def test_any_other_url_is_refused(production, url):
    with pytest.raises(InvalidEndpoint):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://localhost:9/hook", "http://receiver.internal:80/", "https://[::1]/"]
)
def test_a_developer_may_use_http_and_private_addresses(settings, url):
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    check_url(url)
    with pytest.raises(InvalidEndpoint):
        check_url(url.replace("://", "://user@"))


@pytest.fixture
def names(monkeypatch):
    """Has the system's resolver return these addresses for every name."""

    def names(*addresses):
        found = [(None, None, None, "", (address, 443)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    return names


def test_every_address_of_a_name_must_be_public(production, names, settings):
    names("8.8.8.8", "2606:4700::1")
    assert allowed_addresses_of("hooks.example.com", 443) == ["8.8.8.8", "2606:4700::1"]
    names("8.8.8.8", "10.0.0.1")
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        allowed_addresses_of("hooks.example.com", 443)
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    assert allowed_addresses_of("hooks.example.com", 443) == ["8.8.8.8", "10.0.0.1"]
