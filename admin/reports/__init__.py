"""What came of campaigns and coupons, in figures."""
