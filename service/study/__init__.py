"""What was received and what it means: instances -> study -> series -> phases -> roles. Pure."""
