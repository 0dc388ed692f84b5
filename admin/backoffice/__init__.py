"""Operators' pages, framed by starlette-admin: its lists and forms for plain records, own pages for the rest."""
