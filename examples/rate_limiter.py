#!/usr/bin/python3
"""A rate limiter: each user may ask so often in a window of time that begins with the first request.

usage: rate_limiter.py URL ask|show USER
"""

import sys

import redis

LIMIT = 5
WINDOW_SECONDS = 3600


class RateLimiter:
    def __init__(self, url):
        self.redis = redis.from_url(url, decode_responses=True)

    def ask(self, user):
        """How many requests there were in this window, this one included."""
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(f"requests:{user}", 0, ex=WINDOW_SECONDS, nx=True)
            pipe.incr(f"requests:{user}")
            return pipe.execute()[-1]

    def count(self, user):
        return int(self.redis.get(f"requests:{user}") or 0)


def main(url, command, user):
    limiter = RateLimiter(url)
    if command == "ask":
        count = limiter.ask(user)
        print(f"{'allowed' if count <= LIMIT else 'refused'}: request {count} of {LIMIT}")
    elif command == "show":
        print(f"{limiter.count(user)} requests")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 4 else sys.exit(__doc__)
