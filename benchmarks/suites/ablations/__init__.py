"""What the parts of the method are worth."""
