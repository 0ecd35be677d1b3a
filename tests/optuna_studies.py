"""Optuna's studies in a file, for tests of what alfine imports: a storage that is closed."""

from contextlib import contextmanager

from tests.missing import package


@contextmanager
def optuna_storage(url):
    """Optuna, and a storage of its studies at the URL. Skips the test where Optuna isn't installed."""
    optuna = package("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(url)
    try:
        yield optuna, storage
    finally:
        storage.remove_session()
        storage.engine.dispose()
