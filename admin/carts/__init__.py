"""The cart of each shopper, kept on the server."""
