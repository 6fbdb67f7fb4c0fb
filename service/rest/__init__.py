"""The engine over HTTP: JSON, uploads, the OpenAI-compatible endpoint, the search page.

    app         puts it together
    edge        what all requests share: request id, limits, origin, metrics
    failures    every error in one shape, by the one table
    wire        how JSON comes in and goes out
    content     what can be asked about, as JSON
    models, embeddings, rank, collections, items, search, snapshots, jobs, operations, pages
                one resource each: its wire models, and routes of a few lines

Routes translate, the engine answers.
"""
