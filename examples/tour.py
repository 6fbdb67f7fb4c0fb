"""A tour of one space for pictures, sounds and words, over gRPC, to be read from top to bottom.

    kindred demo                # once: writes the photographs and sounds of demo/gallery
    kindred serve               # in another terminal
    python examples/tour.py     # or cell by cell, in an editor that knows `# %%`

Only `kindred` is needed on this side of the wire. `--server http://localhost:8000` has
the same answers over REST.
"""

# %% What is needed: the client, and some photographs and sounds
import argparse
from collections.abc import Sequence
from pathlib import Path

from kindred import Audio, Client, ContentLike, Image, Item, ItemInput, Part

GALLERY = Path(__file__).parent.parent / "demo/gallery"
COLLECTION = "tour"


# %% Store: pictures and sounds go into one collection, each with an id and metadata of your own
def store(client: Client) -> None:
    """Makes the collection; a file that can't be read would cost itself alone."""
    if COLLECTION in {each.name for each in client.list_collections()}:
        client.delete_collection(COLLECTION)
    client.create_collection(COLLECTION, indexed=["folder"])
    items = [
        ItemInput(kind.file(path), path.stem, {"folder": path.parent.name})
        for kind, pattern in ((Image, "photos/*.*"), (Audio, "sounds/*.wav"))
        for path in sorted(GALLERY.glob(pattern))
    ]
    stored = client.upsert(COLLECTION, items)
    print(f"stored {len(stored.results) - len(stored.failed)} items of {len(items)}")


# %% Ask in any direction: words, a sound, a stored item, or a sum of them
def ask(client: Client) -> None:
    """Prints the best three answers to questions of every kind."""
    questions: dict[str, ContentLike | list[Part]] = {
        "words to anything": "a cat",
        "words to sounds": "water",
        "a sound to pictures": Audio.file(GALLERY / "sounds/cat-meowing.wav"),
        "more like an item": Item("coffee"),
        "a picture, away from words": [
            Part(Item("astronaut")),
            Part("a person in a space suit", -0.5),
        ],
    }
    only = {"words to sounds": "audio", "a sound to pictures": "image"}
    for title, question in questions.items():
        wanted = [only[title]] if title in only else []
        hits = client.search(COLLECTION, question, k=3, modalities=wanted).hits
        told = "   ".join(f"{hit.id} ({hit.score:.2f}, {hit.probability:.0%})" for hit in hits)
        print(f"{title:28}{told}")


# %% Filter: on metadata, on id, on modality, on when it was stored
def narrow(client: Client) -> None:
    """Asks only among some of the items."""
    condition = {"folder": "photos", "id": {"$nin": ["cat"]}}
    hits = client.search(COLLECTION, "an animal", k=3, filter=condition).hits
    print(f"{'not the cat':28}{[hit.id for hit in hits]}")


# %% Classify without training: one thing against candidates
def classify(client: Client) -> None:
    """Says what a sound is, of three things."""
    names = ["rain", "a siren", "church bells"]
    ranked = client.rank(Audio.file(GALLERY / "sounds/siren.wav"), names).candidates
    told = "   ".join(f"{names[each.index]} {each.probability:.0%}" for each in ranked)
    print(f"{'what is this sound?':28}{told}")


# %% Take the vectors: unit length, comparable across modalities, yours to use
def compare(client: Client) -> None:
    """Prints which of three pictures goes with which of three texts, as cosines."""
    names = ["cat", "coffee", "rocket"]
    pictures = [Image.file(next(GALLERY.glob(f"photos/{name}.*"))) for name in names]
    texts = ["a photo of a cat", "a cup of coffee", "a rocket taking off"]
    vectors = client.embed([*pictures, *texts]).vectors  # (6, dim)
    cosines = vectors[:3] @ vectors[3:].T  # (pictures, texts)
    for name, row in zip(names, cosines, strict=True):
        print(f"{name:28}{'   '.join(f'{cosine:+.2f}' for cosine in row)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Takes the tour."""
    parser = argparse.ArgumentParser(description="A tour of one space, over gRPC.")
    parser.add_argument("--server", default="localhost:50051")
    with Client(parser.parse_args(arguments).server) as client:
        for step in (store, ask, narrow, classify, compare):
            step(client)


if __name__ == "__main__":
    main()
