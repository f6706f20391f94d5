"""What commands do for a person at a terminal: the demonstration, the doctor, the analysis of a folder."""
