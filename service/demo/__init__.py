"""The material of `kindred demo`: photographs, sounds of our own making, and questions."""
