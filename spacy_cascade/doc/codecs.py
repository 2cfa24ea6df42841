"""Reading and writing DocBins without srsly's repeated search for codecs."""

from __future__ import annotations

import threading
from functools import partial

from srsly import msgpack_decoders, msgpack_encoders


class Codecs:
    """Inside this context srsly's msgpack codecs are collected once.

    srsly collects them anew, from all installed packages and all registered functions,
    at every single call, several times per Doc. That takes longer than all other work
    on a DocBin together. Contexts may be nested, and left in any order, by any thread.
    """

    depth = 0
    _changing = threading.Lock()

    def __enter__(self) -> None:
        with Codecs._changing:
            if Codecs.depth == 0:
                for registry in (msgpack_encoders, msgpack_decoders):
                    vars(registry)["get_all"] = partial(dict, registry.get_all())
            Codecs.depth += 1

    def __exit__(self, *error: object) -> None:
        with Codecs._changing:
            Codecs.depth -= 1
            if Codecs.depth == 0:
                for registry in (msgpack_encoders, msgpack_decoders):
                    del vars(registry)["get_all"]
