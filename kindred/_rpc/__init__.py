"""The gRPC wire.

wire      channels and errors
routes    one table of calls
asked     calls as messages of `kindred.v1`
answered  messages of `kindred.v1` as answers
"""
