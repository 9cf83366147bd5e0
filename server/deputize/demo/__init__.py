"""Harbor, the bank of the stories: a real site with deputize in it, and the narrated run through it."""
