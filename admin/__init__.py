"""The sidecar (back office and storefront) and the `seckill` command."""
