"""Tests of storage in memory."""

from __future__ import annotations

from pypid.interfaces import IContent, IStorage
from pypid.runtime.threaded_content import ThreadedContent
from pypid.storage.memory import MemoryFile, MemoryStorage
from pypid.testing.content import ContentContract
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.testing.staging import StagingContract
from pypid.testing.storage import StorageContract


class TestMemoryStorage(StorageContract, Synchronous):
    """Memory keeps the promises of a storage."""

    def make_storage(self) -> IStorage:
        return MemoryStorage()


class TestMemoryStaging(StagingContract, Synchronous):
    """Memory keeps the promises of a staging."""

    def make_storage(self) -> IStorage:
        return MemoryStorage()


class TestMemoryContent(ContentContract, Synchronous):
    """Memory keeps the promises of a content."""

    def make_content(self, data: bytes) -> IContent:
        return ThreadedContent(MemoryFile(data, 1), InlineWorkers())
