"""What the network saw: attributions."""
