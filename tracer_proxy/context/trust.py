"""Whose trace context, colour and forwarding headers are believed: peers by address, checked once per connection."""

import ipaddress
from collections.abc import Iterable

NAMED_NETWORKS = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    "all": ("0.0.0.0/0", "::/0"),
}


class Trust:
    """``members`` are names of ``NAMED_NETWORKS`` or networks in CIDR form; raises ``ValueError`` for anything else."""

    def __init__(self, members: Iterable[str]) -> None:
        self._networks = [
            ipaddress.ip_network(network) for member in members for network in NAMED_NETWORKS.get(member, (member,))
        ]

    def believes(self, peer: str | None) -> bool:
        """``None`` is a peer on a Unix socket: whoever may open the file is trusted."""
        if peer is None:
            return True
        address = ipaddress.ip_address(peer.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
