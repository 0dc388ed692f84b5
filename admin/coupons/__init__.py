"""Coupons: codes that take something off a cart after its promotions."""
