#!/usr/bin/python3
"""A cache of pages that are slow to make. A page that has changed gets a new generation, so nobody reads an old copy.

usage: cache.py URL read|changed FILE
"""

import pathlib
import sys
import time

import redis

KEEP_SECONDS = 600


class PageCache:
    def __init__(self, url, make):
        self.redis = redis.from_url(url, decode_responses=True)
        self.make = make

    def read(self, page):
        """(text, whether it had to be made)"""
        generation = self.redis.get(f"generation:{page}") or 0
        key = f"page:{page}:{generation}"
        text = self.redis.get(key)
        if text is not None:
            return text, False
        text = self.make(page)
        self.redis.set(key, text, ex=KEEP_SECONDS)
        return text, True

    def changed(self, page):
        self.redis.incr(f"generation:{page}")


def slow_page(path):
    time.sleep(0.1)
    return pathlib.Path(path).read_text()


def main(url, command, page):
    cache = PageCache(url, slow_page)
    if command == "read":
        text, made = cache.read(page)
        print(f"{text.strip()} ({'made' if made else 'from the cache'})")
    elif command == "changed":
        cache.changed(page)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 4 else sys.exit(__doc__)
