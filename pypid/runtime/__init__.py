"""What anybody may use of Twisted and of the machine."""
