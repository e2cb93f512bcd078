"""What can be typed: the commands with their help, and an example each.

Rules that hold here:
- Nothing is imported here that a command needs to run: `--help` and a typing mistake cost no more than argparse.
- --sites, --data and --json are taken before the command's name and after it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tui import arguments
from tui.typed_words import CommandParser, Parser

VERSION: Final = "tui.commands.version:run"
_UNWRITTEN: Final = "exit status 6: done, but the output could not be written; stderr says what was done."
_CHANGED: Final = (
    "Exit status: 0 created; 2 refused, or you answered no; 10 certainly not in the log; 11 not known\n"
    "yet (ask `loggos events SITE` later). --json prints the outcome, as `tweet` does."
)
_PRINT_NOTHING: Final = ("open", "serve")
"""Commands that are never done, but not told: what becomes of their output ends neither."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: `run` is `module:function`, imported when the command runs."""

    name: str
    run: str
    summary: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    more: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        return f"{self.summary[0].upper()}{self.summary[1:]}.\n\n{self.more}".strip()


COMMANDS: Final = (
    Command(
        "init",
        "tui.commands.init:run",
        "write a commented sites file, and a key, for sites of these names",
        "loggos init ann ben cleo",
        arguments.init,
        "Writes the sites file (--sites, $LOGGOS_SITES or ./sites.yaml) and beside it the\n"
        "shared secret cluster.key (mode 0600). It never overwrites a file. --new-key FILE\n"
        "writes only a key, for a cluster that changes its key (docs/operations.md).\n\n"
        '--json prints {"sites":FILE,"key":FILE,"names":[NAME, ...]}.',
    ),
    Command(
        "demo",
        "tui.commands.demo:run",
        "make a cluster on loopback, start it and open the first site's screen",
        "loggos demo --size 3",
        arguments.demo,
        "Sites file, key and stores are in --data, by default in loggos/demo-N in the user's data\n"
        "folder. A second start continues with them. Leaving the demo stops all its engines.\n\n"
        '--headless prints {"ready":true,"sites":FILE,"data":DIR} and runs until SIGINT\n'
        "or SIGTERM. `loggos lab DIR/*.jsonl` shows what --record wrote.",
    ),
    Command(
        "open",
        "tui.commands.open:run",
        "show the screen of a site, starting its engine if none runs",
        "loggos open alice",
        arguments.open_site,
        "--plain draws no screen, for screen readers: it prints new tweets and outcomes line by line.\n"
        "A line you type is a tweet, or a command such as /status (/help lists them). The same\n"
        "happens on a terminal whose TERM is dumb or not set.",
    ),
    Command(
        "serve",
        "tui.commands.serve:run",
        "run a site's engine alone, in the foreground",
        "loggos serve alice --data /var/lib/loggos",
        arguments.serve,
        "The first line on stdout, once it takes commands, is\n"
        '{"ready":true,"site":...,"udp":...,"control":...}, and "metrics" if it serves\n'
        "them. The log goes to stderr. If this machine does not have the address yet, it waits.\n"
        "SIGINT and SIGTERM stop it cleanly.",
    ),
    Command(
        "service",
        "tui.commands.service:run",
        "print a systemd unit that runs a site with this installation",
        "loggos service alice --user loggos",
        arguments.service,
        'It writes and starts nothing. --json prints {"name","unit"}.',
    ),
    Command("stop", "tui.commands.stop:run", "stop a running engine cleanly", "loggos stop alice", arguments.site),
    Command(
        "tweet",
        "tui.commands.submit:tweet",
        "write a tweet, or one for each line of standard input",
        'loggos tweet alice "lunch at noon?"',
        arguments.tweet,
        "With --stdin the outcomes are printed in the order of the lines. Blank lines are skipped;\n"
        "an invalid line is reported as refused, and the rest continues.\n\n"
        "Exit status: 0 created; 10 certainly not in the log; 11 not known yet\n"
        "(ask `loggos events SITE` later). With --stdin: the first that applies of 3, 11, 10, 2, 0.",
    ),
    Command(
        "block",
        "tui.commands.submit:block",
        "stop another site from seeing this site's tweets",
        "loggos block alice bob",
        arguments.block,
    ),
    Command("unblock", "tui.commands.submit:unblock", "undo a block", "loggos unblock alice bob", arguments.block),
    Command(
        "view",
        "tui.commands.read:view",
        "the timeline, as this site may see it",
        "loggos view alice --fresh --limit 20",
        arguments.view,
        "--fresh shows everything that was chosen anywhere before the call: it asks a majority how\n"
        "far the log goes, and waits until all of that is here. If this is not confirmed in time,\n"
        "it shows what is known here as perhaps stale, says why on stderr, and exits with 11.",
    ),
    Command(
        "log",
        "tui.commands.read:log",
        "every slot of the log, with its state",
        "loggos log alice --from 1 --to 40",
        arguments.log,
        "No-ops in a row are one line; with --json each slot has its own.",
        aliases=("view_log",),
    ),
    Command(
        "search",
        "tui.commands.search:run",
        "find words in the timeline, or in the log",
        "loggos search alice from:bob since:2026-11-01 lunch",
        arguments.search,
        "A hit contains all the words, in any case; parts of words match. from: is an author, since: a\n"
        "date in your time zone, slot: one slot or a range. --log also searches the author, kind and\n"
        "state of each slot, and tweets hidden by blocks. The first search reads and indexes the log;\n"
        "later ones are fast.\n\n"
        "--json prints lines as `view` does (with --log, as `log` does). No match is not an error.",
    ),
    Command(
        "events",
        "tui.commands.read:events",
        "outcomes of this site's events, including those unknown at first",
        "loggos events alice alice/17",
        arguments.events,
    ),
    Command("blocks", "tui.commands.read:blocks", "who blocks whom", "loggos blocks alice", arguments.site_or_store),
    Command(
        "data",
        "tui.commands.read:data",
        "the acceptor's variables for slots: maxPrepare, accNum, accVal",
        "loggos data alice 41 42",
        arguments.slots,
        "Without slots: those that this site has not learned yet.",
    ),
    Command(
        "status",
        "tui.commands.status:run",
        "quorum, leader, peers, holes, costs",
        "loggos status alice --json",
        arguments.site,
    ),
    Command(
        "members",
        "tui.commands.members:run",
        "who belongs to the cluster, and which of them vote",
        "loggos members alice",
        arguments.site,
        "Standings: voter; no-vote (heard, but does not vote now); new-store (its disk was lost or\n"
        "replaced: `readmit` lets it vote again); learner; not-heard. All of it as SITE knows it.\n\n"
        "--json prints one object:\n"
        '  {"site","members":[MEMBER, ...],"quorum":{"reachable","needed","size"},"coming":COMING}\n'
        'MEMBER is {"site","votes","wanted_by","standing","why","heard_s","chosen_through","store","address",\n'
        '"file_address","log_address"}. COMING is null or {"slot","since","entry":ENTRY}, a change in the\n'
        'log that takes effect from slot "since" on.',
    ),
    Command(
        "readmit",
        "tui.commands.members:readmit",
        "let a site whose disk was lost vote again, with its new store",
        "loggos readmit alice carol",
        arguments.change,
        "SITE is any site that votes; NAME is the one with the new store, and must be running. The change\n"
        "is an entry of the log. The command first shows what the change does to the quorum, and asks;\n"
        "--yes skips the question. It refuses if NAME or too many voters are not heard, unless --force\n"
        "is given.\n\n" + _CHANGED,
    ),
    Command(
        "add",
        "tui.commands.members:add",
        "add another site to the cluster",
        "loggos add alice dave 10.0.0.4:7001",
        arguments.add,
        "SITE is any site that votes. Start NAME afterwards, with the key and a sites file that lists the\n"
        "others under `sites` and NAME under `added` (docs/operations.md). It copies the log, then votes;\n"
        "with --learner it does not vote until `promote`. A cluster has at most 9 voters and 9 learners.\n"
        "The command asks first, as `readmit` does.\n\n" + _CHANGED,
    ),
    Command(
        "promote",
        "tui.commands.members:promote",
        "let a learner vote, with its present store",
        "loggos promote alice dave",
        arguments.change,
        "SITE is any site that votes. NAME was added with --learner and has copied the log. The command\n"
        "asks first, as `readmit` does.\n\n" + _CHANGED,
    ),
    Command(
        "remove",
        "tui.commands.members:remove",
        "remove a site from the cluster",
        "loggos remove alice carol",
        arguments.change,
        "SITE is any site that votes, NAME itself included. What NAME wrote stays, but it no longer votes\n"
        "or writes. Stop it once its `status` says that the others no longer need it. The command asks\n"
        "first, as `readmit` does.\n\n" + _CHANGED,
    ),
    Command(
        "move",
        "tui.commands.members:move",
        "tell all sites that a site has a new address",
        "loggos move alice bob 10.0.0.7:7001",
        arguments.placed,
        "SITE is any site that votes. The others then expect NAME there, whatever their sites files say;\n"
        "NAME itself listens where its own file says. The command asks first, as `readmit` does.\n\n" + _CHANGED,
    ),
    Command(
        "health",
        "tui.commands.health:run",
        "say whether the site takes events now, in a sentence and by the exit status",
        "loggos health alice",
        arguments.site,
        "Exit status: 0 it takes events; 1 it does not, and the sentence says why; 5 no engine is running.\n"
        '--json prints {"takes_events","why"}.',
    ),
    Command(
        "check",
        "tui.commands.check:run",
        "look for problems with the sites on this machine, present and coming",
        "loggos check alice",
        arguments.check,
        "It checks the sites file, key, data folder, disk, store and port, and if the engine runs, its\n"
        "peers and their clocks. Each problem comes with what to do. It changes nothing.\n\n"
        "Exit status: 0 nothing is wrong (warnings are possible); 2 something is; 3 a store cannot be\n"
        "used; 4 a port is in use.\n\n"
        '--json prints one object a line: {"level":"ok"|"warning"|"wrong","about","says"}.',
    ),
    Command(
        "top",
        "tui.commands.top:run",
        "watch all sites that run here: quorum, leader, lag, rates, costs",
        "loggos top",
        arguments.top,
        "Without a terminal, or with --once, it prints lines. Rates are measured between two updates.\n"
        "Exit status: 0; 5 if no engine answers.\n\n"
        '--json prints one object a site: {"site","cluster","answers","why","takes_events",\n'
        '"quorum","leader","chosen_through","lag_slots","holes","events_per_s",\n'
        '"sent_bytes_per_s","messages_per_event","syncs_per_event","wrong":[SENTENCE, ...]}.',
    ),
    Command(
        "metrics",
        "tui.commands.metrics:run",
        "print a site's metrics as OpenMetrics text",
        "loggos metrics alice",
        arguments.metrics,
        "The same that `serve --metrics HOST:PORT` serves over HTTP. docs/monitoring.md has the names,\n"
        "units, a dashboard and alert rules.\n\n"
        '--json prints one object: {"status","holes","elections","created","commits",\n'
        '"round_trips","store_bytes","disk_free_bytes"}.',
    ),
    Command(
        "fill",
        "tui.commands.fill:run",
        "fill holes now; shows the plan, then a result for each slot",
        "loggos fill alice 41",
        arguments.fill,
        "A hole is a used slot whose entry this site has not learned. Without slots: all holes.\n"
        "Exit status 11: a slot is not settled yet.",
    ),
    Command(
        "explain",
        "tui.commands.explain:run",
        "the history of a slot: who promised and accepted, which quorum chose it, who learned it when",
        "loggos explain alice 43",
        arguments.explain,
        "SITE asks the others what they have and remember of the slot. Sites that do not answer in\n"
        "time, and facts that no site remembers, are left blank. It changes nothing.\n\n"
        "States: empty; promised; accepted (by a minority, or no majority is known); chosen (but not\n"
        "learned here yet); learned.\n\n"
        "--json prints one object:\n"
        '  {"slot","state","may_be_chosen","sentence","entry":ENTRY,"void",\n'
        '   "quorum":{"ballot","sites":[NAME, ...],"counted_by"},"sites":[SITE, ...],"ballots":[BALLOT, ...]}\n'
        'SITE is {"site","answered","voting","maxPrepare","accNum","accVal":ENTRY,\n'
        '"learned","learned_at","learned_how","learned_from"}, BALLOT is\n'
        '{"ballot","promised":[NAME, ...],"accepted":[NAME, ...],"chosen","entry":ENTRY}.',
    ),
    Command(
        "trace",
        "tui.commands.trace:run",
        "the messages that this site sent and received, and what it concluded",
        "loggos trace alice --follow --slot 43",
        arguments.trace,
        "With --record it prints nothing. FILE gets one JSON object a line, and stays whole however the\n"
        "recording ends. `loggos lab FILE ...` shows recordings of several sites together, even if their\n"
        'clocks differ. --json prints {"recording":FILE,"site":NAME} once it records.',
    ),
    Command(
        "faults",
        "tui.commands.faults:run",
        "make the network of a site bad on purpose",
        'loggos faults alice add "to=bob type=accept drop=50%" --expires 60',
        arguments.faults,
        "Examples of rules:\n"
        "  to=bob type=accept drop=50%\n"
        "  from=* delay=200ms±50\n"
        "  to=carol hold\n"
        '  "partition alice,bob | carol,dave,erin"\n'
        "  from=bob type=promise pass   (earlier rules then hold no promise from bob)\n"
        "Rules are never saved: a restarted engine has none. Held messages wait for release or drop.\n\n"
        "--json prints one object:\n"
        '  list            {"rules":[RULE, ...],"held":[HELD, ...],"seed":N}\n'
        '  add             RULE: {"number","text","on","hits","expires_at","while_connected"}\n'
        '  clear, remove   {"removed":N}\n'
        '  release         {"released":N}\n'
        '  drop            {"dropped":N}\n'
        'HELD is {"number","at","dir","peer","type","slot","ballot","slots"}.',
    ),
    Command(
        "audit",
        "tui.commands.audit:run",
        "read the stores of stopped or running sites and check that they agree",
        "loggos audit /var/lib/loggos",
        arguments.audit,
        "It checks the stores in these folders against the rules of the protocol and against each\n"
        "other. Engines may be running; nothing is written. To audit stores of several machines\n"
        "together, use backups, or copies made while their sites were stopped.\n\n"
        "Exit status: 0 no violation; 12 a rule is broken; 3 a store cannot be read.\n\n"
        "--json prints one object:\n"
        '  {"sites":[SITE, ...],"missing":[NAME, ...],"slots":N,"events":N,\n'
        '   "violations":[VIOLATION, ...],"violations_found":N,\n'
        '   "unreadable":[{"folder","reason"}, ...]}\n'
        'SITE is {"site","folder","standing","prefix","used_max","events"}, VIOLATION is\n'
        '{"rule","slot","site","sentence"}; of many violations the first 1,000 are listed.',
    ),
    Command(
        "backup",
        "tui.commands.backup:run",
        "write a consistent copy of a site's store to a file",
        "loggos backup alice /mnt/other-disk/alice-monday.backup",
        arguments.backup,
        "The engine may be running, and is not held up. FILE appears once it is complete, verified and\n"
        "synced. It contains its own checksum; the one printed is what `sha256sum FILE` prints. `view`,\n"
        "`log` and `blocks` read it with --store FILE, `audit FILE` checks it. No site can be started\n"
        "from it, because it would have forgotten what it has promised since. If a majority of the sites\n"
        "is gone for good, `rescue` makes a new cluster from what is left.\n\n"
        "Exit status: 0 done; 2 FILE cannot be there; 3 the store cannot be read, or the disk is full.\n\n"
        '--json prints {"backup":FILE,"site":NAME,"cluster":NAME,"slots":N,"bytes":N,"sha256":SUM}.',
    ),
    Command(
        "rescue",
        "tui.commands.rescue:run",
        "make a new cluster from the stores and backups that are left",
        "loggos rescue /var/lib/loggos/carol bob.backup --into /srv/rescued --cluster island-two",
        arguments.rescue,
        "For when a majority of the sites is gone for good. It reads what is left, reports which slots\n"
        "are certain and which are not, and asks before it writes anything. The new cluster has the\n"
        "same sites, each with a store of the whole log, but its own name and key, so that no old site\n"
        "can talk to it. The old stores are not changed. docs/operations.md has an example.\n\n"
        "It takes addresses and settings from the old cluster's sites file (--sites), if there is one.\n\n"
        "Exit status: 0 written; 2 refused, or you answered no; 3 a store cannot be read, or the disk is\n"
        "full; 4 a site runs on one of the stores; 12 the stores contradict each other.\n\n"
        "--json prints one object:\n"
        '  {"cluster":OLD,"stores":[STORE, ...],"unreadable":[{"folder","reason"}, ...],"lost":[NAME, ...],\n'
        '   "slots":N,"events":N,"learned":N,"taken":[TAKEN, ...],"unknown":[[FIRST,LAST], ...],\n'
        '   "withdrawn":[{"slot","id"}, ...],"filled":N,"missing_from":K,"remarks":[VIOLATION, ...],\n'
        '   "new":{"cluster","sites":FILE,"data":DIR}}\n'
        'STORE is {"site","folder","standing","prefix","used_max"}, TAKEN {"slot","kind","author","id",\n'
        '"text","target","ballot","accepted_by":[NAME, ...],"chosen"}; "new" is null if nothing was written.',
    ),
    Command(
        "completion",
        "tui.commands.completion:run",
        "print a shell script that completes commands, options, sites, slots and rules",
        "loggos completion bash",
        arguments.completion,
        "Save it where the shell looks for it:\n"
        "  loggos completion bash > ~/.local/share/bash-completion/completions/loggos\n"
        "  loggos completion zsh > DIR/_loggos     DIR is in $fpath\n"
        "  loggos completion fish > ~/.config/fish/completions/loggos.fish\n\n"
        '--json prints {"shell","script"}.',
    ),
    Command(
        "lab",
        "tui.commands.lab:run",
        "step through Paxos in a simulated cluster; your log is not touched",
        "loggos lab b-wins",
        arguments.lab,
        "SCENARIO is a name from `loggos lab --list`, a scenario file (docs/scenarios.md), or a line in\n"
        "course notation, in upper or lower case, with names (s1) or ports (8000 and up) of sites:\n"
        "  set value 7 on 8000\n"
        "  A_wins 8000 8004 123 456     also B_wins and BB_wins\n"
        "  livelock 8000 8004 123 456 20     goes round 20 times\n"
        "  restart\n"
        "The lab shows the values that you give. Files from `loggos trace --record` and `demo --record`\n"
        "are shown as one run, merged by what was sent and received.\n\n"
        "--live plays it on real engines over UDP and compares their trace with the simulated one. It\n"
        "uses a running demo (--sites, --data), or makes a cluster and removes it afterwards. It leaves\n"
        "no fault rules behind, however it ends.\n\n"
        "Exit status with --text or --live: 0 it went as the scenario expects; 12 it did not, or a rule\n"
        "was broken; 2 the request makes no sense, or cannot be done on real sites.\n\n"
        "--json plays without a screen, too: it prints one object a run, or with --list one a scenario\n"
        "(docs/commands.md).",
    ),
)


def build_parser() -> Parser:
    """The whole command line. A parsed namespace has `sites`, `data`, `json`, and `run` of the command."""
    parser = Parser(
        prog="loggos",
        description="A shared timeline for a handful of machines, without a server. You can see how it works.",
        epilog="example: loggos demo\n\n`loggos COMMAND --help` shows a command's arguments and an example.\n"
        f"{_UNWRITTEN}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action="store_const",
        const=VERSION,
        dest="run",
        help="print the version and exit",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="with --version: what a bug report needs (versions, system, terminal)"
    )
    arguments.of_all_commands(parser, None)
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", parser_class=CommandParser, title="commands")
    for command in COMMANDS:
        example = f"example: {command.example}"
        added = commands.add_parser(
            command.name,
            aliases=command.aliases,
            help=command.summary,
            description=command.description,
            epilog=example if command.name in _PRINT_NOTHING else f"{example}\n\n{_UNWRITTEN}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(added)
        added.set_defaults(run=command.run)
        # Suppressed defaults: what was given before the command's name is not overwritten after it.
        arguments.of_all_commands(added, argparse.SUPPRESS)
    return parser
