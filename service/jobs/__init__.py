"""Long work that the server does by itself, and goes on with after a restart.

    jobs      the use cases: creating, following and ending jobs
    running   one job on its way, and who watches it
    tasks     what the kinds of jobs do: each yields its items' outcomes
    reembedding, copying  one collection into another, and an alias swapped at the end
    claims    which process works on a job
    items     the items of a collection, stored patiently
    places    which folders jobs may read
    files     what is kept of a job: two small files
    messages  what can be asked and what is answered

What is stored tells by itself what need not be done again, whoever stored it: written down are only
a job's counts, and where a collection was read to, behind which a copy may be out of date.
"""
