"""What the user sees: a class and a .ui file for each section of the panel, and what they share (`context`)."""
