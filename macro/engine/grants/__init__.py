"""What a role gets."""
