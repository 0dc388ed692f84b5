"""Orders as operators see them, and winners that could not become orders."""
