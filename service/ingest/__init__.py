"""Bringing files into a collection, only what is new, wherever that is asked for.

folder    the files below a folder, and what a stored item knows of its file
known     what a collection has of these files, and of such as are gone
manifest  the files that a list names
tracks    where the sound tracks of films are copied
ingest    stores them, and tells every file's outcome at once
"""
