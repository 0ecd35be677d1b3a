"""The bare loop: `subprocess.run` in a loop (or a pool of threads), a plain call; the same with two durable SQLite transactions."""

import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

from common import Call, function, run_script


def sample():
    return {"x": random.random(), "y": random.random(), "k": random.randint(1, 10)}


def main():
    call = Call()

    def one(_):
        run_script(call.script, sample())
        return time.time()

    with call:
        if call.case == "function":
            ended = []
            for _ in range(call.jobs):
                function(sample())
                ended.append(time.time())
        elif call.case == "sqlite":
            ended = list(two_transactions(call))
        elif call.parallel == 1:
            ended = [one(number) for number in range(call.jobs)]
        else:
            with ThreadPoolExecutor(call.parallel) as pool:
                ended = list(pool.map(one, range(call.jobs)))
    call.answer(ended)


def two_transactions(call):
    """The floor of any durable loop with a record before and one after each training job."""
    store = sqlite3.connect(f"{call.folder}/floor.db", isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    store.execute("CREATE TABLE jobs (number INTEGER PRIMARY KEY, hyperparameters TEXT, value REAL)")
    for number in range(call.jobs):
        hyperparameters = sample()
        store.execute("BEGIN IMMEDIATE")
        store.execute("INSERT INTO jobs VALUES (?, ?, NULL)", (number, str(hyperparameters)))
        store.execute("COMMIT")
        value = function(hyperparameters)
        store.execute("BEGIN IMMEDIATE")
        store.execute("UPDATE jobs SET value = ? WHERE number = ?", (value, number))
        store.execute("COMMIT")
        yield time.time()


main()
