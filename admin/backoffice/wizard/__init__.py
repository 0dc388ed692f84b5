"""Making and changing a campaign, one question at a time."""
