# SPDX-License-Identifier: Apache-2.0
"""Stores: where snapshots, model versions and data are kept, a folder or S3 behind one protocol.

    store = open_store(home.store, home)
    digest = store.put("fraud/data.parquet", Path("data.parquet"))
    store.get("fraud/data.parquet", Path("copy.parquet"), sha256=digest)

Writes are atomic, reads are streamed and checked, keys cannot lead out of the store. There are no locks and no
conditional writes: of two writers of one key the last one wins.
"""

from kelp.store.location import open_store
from kelp.store.protocol import Digest, Item, Store
from kelp.store.tree import get_folder, put_folder

__all__ = ["Digest", "Item", "Store", "get_folder", "open_store", "put_folder"]
