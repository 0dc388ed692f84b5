"""People who run the shop: their names, roles and passwords, and the sessions they are signed in with."""
