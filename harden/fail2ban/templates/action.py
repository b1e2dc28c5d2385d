# Written by fs-harden: bans as elements of the sets in /etc/fs-harden/nftables.nft,
# ban_JAIL_v4 and ban_JAIL_v6, each with the time that is left as its timeout.
# A jail uses it with "action = fs-harden.py"; fail2ban calls it fs-harden.
#
# It is Python, and not a list of shell commands, for two reasons. fail2ban runs
# one shell for each ban that it restores (42 s for 5,000); this loads them in
# one call of nft. And with "norestored = 1" fail2ban does not run actionunban
# for what it restored (action.py, CommandAction.unban), so that "unbanip" after
# a restart would lift nothing. Works with fail2ban 0.11.2, 1.0.2 and 1.1.0.

import ipaddress
import math
import subprocess

from fail2ban.server.actions import ActionBase
from fail2ban.server.mytime import MyTime

RULES = "/etc/fs-harden/nftables.nft"

# By its path: fail2ban's own begins with /usr/local, where others may write.
NFT = "/usr/sbin/nft"
TABLE = "inet fs_harden"

# How many elements one line of nft takes; lines are one transaction all the same.
CHUNK = 500

# Seconds. 5,000 bans take a tenth of one.
TIMEOUT = 30


class NftError(Exception):
    pass


def single(address):
    """No network and no name: "fail2ban-client set JAIL banip" takes those too."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def nft(*args, **kwargs):
    try:
        done = subprocess.run((NFT,) + args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              timeout=TIMEOUT, universal_newlines=True, **kwargs)
    except (OSError, subprocess.SubprocessError) as e:
        raise NftError("nft cannot be run: %s: install nftables" % e)
    if done.returncode != 0:
        raise NftError("nft: %s" % done.stderr.strip().split("\n")[0])


class KernelSets(ActionBase):

    # fail2ban compares these to find bans that were lost; we find them ourselves.
    banEpoch = 0

    def __init__(self, jail, name, **unused):
        super().__init__(jail, name)
        self._loaded = {}

    # What fail2ban calls.

    def start(self):
        """Makes the kernel's bans those that fail2ban is about to restore."""
        self._loaded = dict(self._remembered())
        self._replace(self._loaded)
        self._logSys.info("[%s] %d bans restored in the kernel", self._jail.name, len(self._loaded))

    def stop(self):
        """Leaves the bans: they end by their timeouts, or the next start takes them over."""

    def ban(self, aInfo):
        address = str(aInfo["ip"])
        end = self._end(aInfo["time"], aInfo["bantime"])
        if aInfo["restored"] and self._loaded.get(address) == end:
            return
        try:
            self._run(self._renew({address: end}))
        except NftError as e:
            self._repair(e)

    def reban(self, aInfo):
        self.ban(aInfo)

    _prolongable = True  # bantime.increment

    def prolong(self, aInfo):
        self.ban(aInfo)

    def unban(self, aInfo):
        address = str(aInfo["ip"])
        self._loaded.pop(address, None)
        # The kernel may have dropped it already, so it is added before it goes.
        name = self._set(address)
        try:
            self._run(["%s element %s %s { %s }" % (verb, TABLE, name, address) for verb in ("add", "delete")])
        except NftError as e:
            self._logSys.warning("[%s] %s cannot be lifted: %s", self._jail.name, address, e)

    def flush(self):
        """Lifts all, except where fail2ban only stops: then see stop."""
        if self._jail.actions.active:
            self._loaded = {}
            self._replace({})
        return True

    def clearAllParams(self):
        """Without this fail2ban drops the action at a reload (actions.py, add)."""

    def reload(self, **unused):
        self._replace(self._current())

    def consistencyCheck(self, beforeRepair=None):
        """A banned source was heard again: is our table gone?"""
        try:
            nft("list", "chain", *(TABLE.split() + ["bans"]))
        except NftError as e:
            self._repair(e)

    # What it takes.

    def _remembered(self):
        """The bans that Jail.restoreCurrentBans (jail.py) will restore."""
        jail = self._jail
        if jail.database is None:
            return
        bantime = jail.actions.getBanTime()
        since = None if jail.getBanTimeExtra("increment") else bantime
        for ticket in jail.database.getCurrentBans(jail=jail, forbantime=since):
            address = str(ticket.getID())
            if single(address) and not jail.filter.inIgnoreIPList(address, log_ignore=False):
                yield address, self._end(ticket.getTime(), ticket.getBanTime(bantime))

    def _current(self):
        """The bans that fail2ban holds now."""
        bantime = self._jail.actions.getBanTime()
        return {str(t.getID()): self._end(t.getTime(), t.getBanTime(bantime))
                for t in self._jail.actions.banManager if single(str(t.getID()))}

    def _repair(self, why):
        self._logSys.error("[%s] bans were lost, all are put back: %s", self._jail.name, why)
        nft("-f", RULES)
        self._replace(self._current())

    def _replace(self, bans):
        """One transaction: no ban that stays is missing for a moment."""
        commands = ["flush set %s ban_%s_%s" % (TABLE, self._jail.name, v) for v in ("v4", "v6")]
        commands += self._add(bans)
        try:
            self._run(commands)
        except NftError:
            # The table is gone or never was: nft flush ruleset, say.
            nft("-f", RULES)
            self._run(commands)

    def _renew(self, bans):
        """An element keeps its first timeout however often it is added."""
        commands = []
        for address in bans:
            name = self._set(address)
            commands += ["%s element %s %s { %s }" % (verb, TABLE, name, address) for verb in ("add", "delete")]
        return commands + self._add(bans)

    def _add(self, bans):
        elements = {}
        now = MyTime.time()
        for address, end in bans.items():
            if end is None:
                elements.setdefault(self._set(address), []).append(address)
            elif end > now:
                elements.setdefault(self._set(address), []).append("%s timeout %ds" % (address, math.ceil(end - now)))
        return ["add element %s %s { %s }" % (TABLE, name, ", ".join(some[at:at + CHUNK]))
                for name, some in elements.items() for at in range(0, len(some), CHUNK)]

    def _set(self, address):
        if not single(address):
            raise ValueError("%r is no single address: use ufw or a table of your own for networks" % address)
        return "ban_%s_v%d" % (self._jail.name, ipaddress.ip_address(address).version)

    @staticmethod
    def _end(time, bantime):
        return None if bantime < 0 else int(time) + int(bantime)

    @staticmethod
    def _run(commands):
        nft("-f", "-", input="\n".join(commands) + "\n")


Action = KernelSets
