"""Who may call: keys and their file, what a caller may do, and the record of every write."""
