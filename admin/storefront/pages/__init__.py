"""Shoppers' pages. Each module shows some pages; the templates say what they look like."""
