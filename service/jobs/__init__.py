"""Long work that the server does by itself, and goes on with after a restart.

    jobs      the use cases: creating, following and ending jobs
    running   one job on its way, and who watches it
    tasks     what the kinds of jobs do: each yields its items' outcomes
    items     the items of a collection, stored patiently
    places    which folders jobs may read
    files     what is kept of a job: two small files
    messages  what can be asked and what is answered

Nothing of what a job has done is written down but its counts: what is stored tells by itself what
need not be done again, whoever stored it.
"""
