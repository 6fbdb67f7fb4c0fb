"""The REST wire.

wire      connections and errors
routes    one table of calls
asked     calls as JSON
answered  JSON as answers
"""
