"""The OpenAPI document: what FastAPI knows of the routes, and the headers that each takes."""

from typing import Any

from fastapi import FastAPI

from service.terms import PRIORITY_HEADER, TIMEOUT_HEADER, Priority

VERBS = frozenset({"get", "put", "post", "patch", "delete"})

HEADERS: dict[str, dict[str, Any]] = {
    "Timeout": {
        "name": TIMEOUT_HEADER,
        "description": "Seconds that the request may take, from its last byte to the first of its "
        "answer; what can't be answered by then costs no forward pass and is `DEADLINE_EXCEEDED`. "
        "The server's `request_seconds` bound the wait for vectors all the same.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
    "Priority": {
        "name": PRIORITY_HEADER,
        "description": "Who goes first where many ask. By default asking is `interactive` and "
        "storing `bulk`.",
        "schema": {"type": "string", "enum": list(Priority)},
    },
}
"""By their names among the document's components."""


class Api(FastAPI):
    """An application whose document tells of the headers of requests, which `edge` reads."""

    def openapi(self) -> dict[str, Any]:
        """Returns the document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            known = document["components"].setdefault("parameters", {})
            known |= {name: {**said, "in": "header"} for name, said in HEADERS.items()}
            for path in document["paths"].values():
                for operation in (path[verb] for verb in VERBS & path.keys()):
                    asked = operation.setdefault("parameters", [])
                    asked += ({"$ref": f"#/components/parameters/{name}"} for name in HEADERS)
        return super().openapi()
