"""Attacks on a real server, by hand: `python -m tests.attack NAME`; results are in SECURITY.md.

victim       a `kindred serve` in a process of its own, and what can be seen of its health
outcome      what an attack counted
rest         schemathesis over the OpenAPI document
headers      first lines and headers that no client library would send
framing      requests whose end nobody agrees on, and many that come at once
floods       headers, metadata and frames of HTTP/2 without end
rpc          messages of protobuf that nobody meant
races        clients that change the same things at once
decoders     damaged files of every format, by the thousand
connections  clients that are slow, leave, do not read, or are ten thousand
watchers     jobs that hundreds watch who read nothing
paths        names that lead elsewhere
forgeries    snapshots that somebody made up
disk         a disk that is full
files        a server that may open few files
bombs        small files that become large ones
numbers      counts, amounts and vectors that nobody means
filters      filters that speak SQL
"""
