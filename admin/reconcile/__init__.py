"""The shop's books held against each other: what orders hold, what they cost, and the money that came and went."""
