#!/usr/bin/python3
"""A leaderboard: points of all games added up, and the best game of each player.

usage: leaderboard.py URL played PLAYER POINTS
       leaderboard.py URL top [N]
"""

import sys

import redis


class Leaderboard:
    def __init__(self, url):
        self.redis = redis.from_url(url, decode_responses=True)

    def played(self, player, points):
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.zincrby("points", points, player)
            pipe.zadd("best", {player: points}, gt=True)
            pipe.execute()

    def top(self, count):
        """(player, points, best game), the most points first"""
        for player, points in self.redis.zrevrange("points", 0, count - 1, withscores=True):
            yield player, points, self.redis.zscore("best", player)


def main(url, command, *args):
    board = Leaderboard(url)
    if command == "played":
        player, points = args
        board.played(player, int(points))
    elif command == "top":
        for rank, (player, points, best) in enumerate(board.top(int(args[0]) if args else 10), 1):
            print(f"{rank}. {player}: {points:.0f} points, best game {best:.0f}")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(__doc__)
