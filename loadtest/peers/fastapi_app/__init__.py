"""A click in FastAPI: PyJWT for the token, one script call per click by redis-py's asyncio client."""
