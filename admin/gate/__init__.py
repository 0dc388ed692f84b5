"""The publish gate: what publishing a campaign would mean, told before it is done. It only reads."""
