"""Taking money and paying it back: providers, their callbacks, refunds."""
