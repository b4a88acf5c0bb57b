"""Reading picture and caption files as users have them. No torch."""
