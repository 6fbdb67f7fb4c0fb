"""The engine over gRPC: the services of `kindred.v1`, health and reflection.

    server    where it listens, and its limits
    models, embeddings, collections, conditioning, jobs, snapshots
              a service each, with one short method per call: asked -> engine -> answered
    edge      what all calls share: request id, who asks, deadline, metrics
    asked     `kindred.v1` -> `service.messages`
    answered  `service.messages` -> `kindred.v1`
    received  what a client sends in a call, read or refused
    arrivals  how long messages may be on their way, and how many at a time
    answers   answers that are not taken yet
    failures  errors by the table, with their details
    health    grpc.health.v1, as the engine's readiness has it

Nothing else in the service imports `kindred.v1`.
"""
