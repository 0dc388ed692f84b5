"""Plain records in lists and forms of starlette-admin: products, categories, members, sessions, coupons."""
