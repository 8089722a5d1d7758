"""What must be right around livepulse, and how to mend what is not."""
