"""A disk whose power can be cut: ext4 on a file, mounted through a loop device and shut down by force.

The forced shutdown (FS_IOC_SHUTDOWN without a flush of the journal) is what a power cut is to a file system: from that
instant nothing reaches the disk, what was only in the page cache is gone, and whoever writes is told EIO.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import time

from harness import PATIENCE, Failed, Skip, check, check_equal, need_root

FS_IOC_SHUTDOWN = 0x8004587D  # linux/fs.h since 6.x; EXT4_IOC_SHUTDOWN before
NO_LOG_FLUSH = struct.pack("I", 2)


class LoopDisk:
    """One mounted file system; the lab takes it away at the end."""

    def __init__(self, lab, name, mib):
        need_root("a disk of one's own")
        for program in ("mkfs.ext4", "mount", "umount"):
            if not shutil.which(program):
                raise Skip(f"{program} is not installed")
        self.image, self.path = lab.path / f"{name}.img", lab.path / name
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(mib << 20)
        self._run("mkfs.ext4", "-q", "-F", self.image)
        self.mount()
        lab.mounts.append(self.path)
        self._prove_that_a_cut_cuts()

    def mount(self):
        self._run("mount", "-o", "loop", self.image, self.path)

    def cut(self):
        """The power goes; the monotonic time at which it was still on."""
        directory = os.open(self.path, os.O_RDONLY)
        try:
            before = time.monotonic()
            fcntl.ioctl(directory, FS_IOC_SHUTDOWN, NO_LOG_FLUSH)
        except OSError as error:
            raise Skip(f"this file system cannot be shut down by force: {error}") from None
        finally:
            os.close(directory)
        return before

    def power_on(self):
        """The disk as it was at the cut. Nobody may have a file of it open."""
        end = time.monotonic() + PATIENCE
        while subprocess.run(["umount", self.path], capture_output=True).returncode != 0:
            if time.monotonic() > end:
                raise Failed(f"{self.path} is still in use")
            time.sleep(0.1)
        self.mount()

    def _prove_that_a_cut_cuts(self):
        """Where unsynced bytes survive, or synced ones do not, no test here would mean anything."""
        for name, sync in (("synced", True), ("unsynced", False)):
            with open(self.path / name, "wb") as file:
                file.write(b"x" * 10000)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
        self.cut()
        self.power_on()
        check_equal((self.path / "synced").stat().st_size, 10000, "bytes that were synced")
        unsynced = self.path / "unsynced"
        check(not unsynced.exists() or unsynced.stat().st_size == 0, "bytes that were not synced survived the cut")
        (self.path / "synced").unlink()

    @staticmethod
    def _run(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Skip(f"{command[0]} does not work here: {done.stderr.strip()}")
