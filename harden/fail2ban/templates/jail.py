# Written by fs-harden: an action that bans nobody. It tells its jail which addresses
# are this machine's own, and tells fail2ban-client how far the jail has read:
#     fail2ban-client get JAIL action fs-harden-jail lag
# Works with fail2ban 0.11.2, 1.0.2 and 1.1.0.
#
# fail2ban's ignoreself asks the resolver for them, in the thread that reads the log,
# so that a jail is blind until an answer comes. The kernel is asked here instead. An
# ignorecommand would cost a process for each address that somebody forges.

import ipaddress
import os
import stat
import time

from fail2ban.server.action import ActionBase
from fail2ban.server.ipdns import IPAddr

# How much of what is unread is searched for a date.
SEARCHED = 65536


def own_addresses():
    """This machine's addresses and networks, as the kernel has them."""
    own = set()
    try:
        with open("/proc/net/fib_trie") as routes:
            for line in routes:
                words = line.split()
                if words[:1] == ["|--"]:
                    address = words[1]
                elif words[-1:] == ["LOCAL"] and words[0] == "/32":
                    # A wider one is a route, as of a transparent proxy: not ours alone.
                    own.add(IPAddr(address))
    except OSError:
        pass  # no IPv4
    try:
        with open("/proc/net/if_inet6") as interfaces:
            own.update(IPAddr(str(ipaddress.IPv6Address(int(line.split()[0], 16)))) for line in interfaces)
    except OSError:
        pass  # no IPv6
    return own


def behind(log):
    """How many seconds ago the oldest line was written that a jail has not read, and
    how many bytes it has not read."""
    try:
        position = log.tell()  # it is reading
    except (AttributeError, ValueError):
        position = log.getPos()
    try:
        # The log is of FreeSWITCH's user, who may put what he likes in its place.
        fd = os.open(log.getFileName(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as f:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ValueError("%s is no regular file" % log.getFileName())
            size = os.fstat(f.fileno()).st_size
            if position > size:
                position = 0  # a new file
            f.seek(position)
            unread = f.read(SEARCHED)
            written = os.fstat(f.fileno()).st_mtime
    except FileNotFoundError:
        return 0, 0  # between two files
    if b"\n" not in unread:
        return 0, 0  # nothing, or a line that is being written
    for line in unread.split(b"\n"):
        try:
            written = time.mktime(time.strptime(line[:19].decode("ascii"), "%Y-%m-%d %H:%M:%S"))
            break
        except ValueError:
            continue
    return max(0, time.time() - written), size - position


class JailHelper(ActionBase):

    # fail2ban compares it to that of other actions.
    banEpoch = 0

    def __init__(self, jail, name, **unused):
        super().__init__(jail, name)
        self._tell()

    # What fail2ban calls.

    def start(self):
        self._tell()

    def ban(self, aInfo):
        """An own address that came up after the start is banned once: then the jail is
        told of it, and the ban is lifted. Its packets come by "lo", which no ban stops."""
        address = IPAddr(str(aInfo["ip"]))
        if any(address.isInNet(own) for own in self._tell()):
            self._logSys.warning("[%s] %s is this machine's own, and not banned", self._jail.name, address)
            self._jail.actions.removeBannedIP(str(address))

    def flush(self):
        """Nothing is to be lifted."""
        return True

    def clearAllParams(self):
        """Without this fail2ban drops the action at a reload (actions.py, add)."""

    def reload(self, **unused):
        self._tell()

    # What fail2ban-client asks for.

    @property
    def lag(self):
        logs = getattr(self._jail.filter, "getLogs", list)()  # a journal's filter has none
        return "%.1f s, %d bytes" % max([behind(log) for log in logs] or [(0, 0)])

    def _tell(self):
        own = own_addresses()
        known = self._jail.filter.getIgnoreIP()
        for address in own:
            if address not in known:
                self._jail.filter.addIgnoreIP(str(address))
        return own


Action = JailHelper
