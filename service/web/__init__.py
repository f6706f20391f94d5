"""What people see: the status API, and pages that show the same without JavaScript."""
