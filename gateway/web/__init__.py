"""The gateway as an ASGI app: clicks in front, everything else behind."""
