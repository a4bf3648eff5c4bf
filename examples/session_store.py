#!/usr/bin/python3
"""Sessions of a shop: who is logged in, what lies in the cart; gone half an hour after the last visit.

usage: session_store.py URL login USER
       session_store.py URL visit|put|show|logout SESSION [PAGE|ITEM]
"""

import secrets
import sys

import redis

IDLE_SECONDS = 1800


class SessionStore:
    def __init__(self, url):
        self.redis = redis.from_url(url, decode_responses=True)

    def login(self, user):
        session = secrets.token_hex(8)
        self._write(session, lambda pipe, key: pipe.hset(key, "user", user))
        return session

    def visit(self, session, page):
        def note(pipe, key):
            pipe.hset(key, "page", page)
            pipe.hincrby(key, "visits", 1)

        self._write(session, note)

    def put(self, session, item):
        self._write(session, lambda pipe, key: pipe.hincrby(key, f"cart:{item}", 1))

    def show(self, session):
        """A session is what has a user: the only question that decides who is logged in."""
        fields = self.redis.hgetall(f"session:{session}")
        return fields if "user" in fields else None

    def logout(self, session):
        self.redis.delete(f"session:{session}")

    def _write(self, session, change):
        with self.redis.pipeline(transaction=True) as pipe:
            change(pipe, f"session:{session}")
            pipe.expire(f"session:{session}", IDLE_SECONDS)
            pipe.execute()


def main(url, command, *args):
    store = SessionStore(url)
    if command == "login":
        print(store.login(*args))
    elif command in ("visit", "put", "logout"):
        if store.show(args[0]) is None:
            sys.exit("not logged in")
        getattr(store, command)(*args)
    elif command == "show":
        fields = store.show(*args)
        if fields is None:
            sys.exit("not logged in")
        print(f"{fields['user']}, {fields.get('visits', 0)} visits, the last to {fields.get('page', 'nothing')}")
        for name in sorted(fields):
            if name.startswith("cart:"):
                print(f"  {name.removeprefix('cart:')}: {fields[name]}")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 3 else sys.exit(__doc__)
