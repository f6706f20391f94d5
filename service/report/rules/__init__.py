"""What every object must hold before it may leave: small tables and checks, written apart from what makes the objects."""
