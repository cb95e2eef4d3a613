"""Where webhooks may go. In production: over https, to addresses that anybody on the Internet can reach.

Otherwise whoever may register an endpoint could have the shop send requests to servers of its own network, and read
their responses in the log. A name is resolved for each connection, every address of it must be allowed, and the
connection goes to an address that was checked: a name that is resolved differently a second time (DNS rebinding)
changes nothing.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import httpcore
from django.conf import settings

from cloudmart.providers.http_client import addresses_of
from cloudmart.webhooks.errors import InvalidEndpoint
from cloudmart.webhooks.models import LONGEST_URL

NOT_PUBLIC = [
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # a service of Azure for its virtual machines
    )
]
"""The special-purpose addresses of IANA's registry, and multicast."""
GLOBAL_UNICAST = IPv6Network("2000::/3")
NOT_PUBLIC_6 = [IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
"""Those of global unicast: protocols like Teredo, documentation, and 6to4, which may lead to any IPv4 address."""
NAT64 = IPv6Network("64:ff9b::/96")
LAST_32_BITS = 2**32 - 1

LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
HOST_NAME = re.compile(rf"({LABEL}\.)+{LABEL}", re.IGNORECASE)
NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
"""A last label that makes a host an IPv4 address for some resolvers: 127.1, 0x7f000001, 2130706433."""
PRIVATE_NAME = re.compile(r"(.*\.)?(localhost|local|internal|localdomain|home\.arpa|lan|intranet)", re.IGNORECASE)
PRINTABLE = re.compile(r"[\x21-\x7e]+")
SCHEMES, HTTPS = ("http", "https"), 443
FIRST_UNPRIVILEGED = 1024


class AddressRefused(httpcore.ConnectError):
    """A host has an address to which no webhook may go."""


def is_public(address: str) -> bool:
    """Returns True for an address of the public Internet; False for any other one, and for what is no address."""
    try:
        return _is_public(ip_address(address))
    except ValueError:
        return False


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in NOT_PUBLIC)
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped or address in NAT64:
        return _is_public(IPv4Address(int(address) & LAST_32_BITS))
    return address in GLOBAL_UNICAST and not any(address in network for network in NOT_PUBLIC_6)


def allowed_addresses_of(host: str, port: int) -> list[str]:
    """Returns the addresses of the host. Raises AddressRefused if a webhook may not go to one of them."""
    found = addresses_of(host, port)
    if not settings.WEBHOOK_PRIVATE_ADDRESSES and (refused := [each for each in found if not is_public(each)]):
        raise AddressRefused(f"{host} has the address {refused[0]}, which is not public")
    return found


def check_url(url: str) -> None:
    """Raises InvalidEndpoint, with the reason, if no webhook can go to this URL. Resolves no name."""
    if reason := _refusal(url):
        raise InvalidEndpoint(reason)


def _refusal(url: str) -> str:
    """Returns why the URL is refused; "" if it is not."""
    if not PRINTABLE.fullmatch(url) or "\\" in url or len(url) > LONGEST_URL:
        return f"A URL has at most {LONGEST_URL} printable ASCII characters, and no backslash."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is no URL."
    if parts.scheme not in SCHEMES or not parts.hostname:
        return "The URL must begin with https:// and a host."
    if "@" in parts.netloc or parts.fragment or "#" in url:
        return "The URL must have no user, password or fragment."
    if port == 0:
        return "The port must be 1 to 65535."
    if not is_host(parts.hostname) or ("[" in parts.netloc and not is_address(parts.hostname)):
        return "The host must be a name with its domain, in ASCII and without a final dot, or an IP address."
    return "" if settings.WEBHOOK_PRIVATE_ADDRESSES else _refusal_in_production(parts, parts.hostname, port)


def _refusal_in_production(parts: SplitResult, host: str, port: int | None) -> str:
    if parts.scheme != "https":
        return "The URL must begin with https://."
    if port not in (None, HTTPS) and port < FIRST_UNPRIVILEGED:
        return f"The port must be {HTTPS}, or at least {FIRST_UNPRIVILEGED}."
    if PRIVATE_NAME.fullmatch(host) or (is_address(host) and not is_public(host)):
        return "The host must be public."
    return ""


def is_host(host: str) -> bool:
    """Returns True for a name of several labels, for localhost, and for an address in its usual notation."""
    if host == "localhost" or is_address(host):
        return True
    is_number = NUMBER.fullmatch(host.rpartition(".")[2])
    return not is_number and len(host) <= 253 and HOST_NAME.fullmatch(host) is not None


def is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
