"""The contract, held by a folder and by a simulated bucket; tests/integration/ holds a real server to it."""

from tests.store.contract import StoreContract
from tests.store.s3_contract import S3StoreContract


class TestLocalStore(StoreContract):
    pass  # on the `store` of every test


class TestS3Store(S3StoreContract):
    pass  # on moto
