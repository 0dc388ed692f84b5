"""Whose request it is, where proxies stand between."""

from __future__ import annotations

import ipaddress

from gateway.settings import IPNetwork

ADDRESSES_MAX = 100_000
"""Addresses remembered, or counted in one window; beyond it, all further ones share one count."""


class ClientAddress:
    """Who is calling: the peer, or behind trusted proxies the rightmost hop that is not one of them."""

    __slots__ = ("_cache", "_trusted")

    def __init__(self, trusted: tuple[IPNetwork, ...]) -> None:
        self._trusted = trusted
        self._cache: dict[str, tuple[str, bool]] = {}

    def key(self, peer: str, forwarded_for: str | None) -> str:
        """The key to count by: an IPv4 address or an IPv6 /64 network."""
        known = self._cache.get(peer) or self._look_at(peer)
        if forwarded_for is None or not known[1]:
            return known[0]
        key = known[0]
        for hop in reversed(forwarded_for.split(",")):
            key, trusted = self._look_at(hop.strip())
            if not trusted:
                break
        return key

    def trusts(self, peer: str) -> bool:
        """Whether what the peer says of its client is believed."""
        return self._look_at(peer)[1]

    def _look_at(self, text: str) -> tuple[str, bool]:
        known = self._cache.get(text)
        if known is None:
            if len(self._cache) >= ADDRESSES_MAX:
                self._cache.clear()
            known = self._cache[text] = self._parse(text)
        return known

    def _parse(self, text: str) -> tuple[str, bool]:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            # A unix socket, or a forged hop: one common count for all of them.
            return "unknown", False
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped is None:
                trusted = any(address in network for network in self._trusted)
                return str(ipaddress.ip_network((address, 64), strict=False)), trusted
            address = address.ipv4_mapped
        return str(address), any(address in network for network in self._trusted)
