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
_UNWRITTEN: Final = "exit status 6: done, but the output cannot be written; what was done is on stderr."
_CHANGED: Final = (
    "Exit status: 0 created; 2 refused, or the answer was no; 10 certainly not in the log; 11 not\n"
    "known yet (`loggos events SITE` tells later). --json prints the outcome, as of `tweet`."
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
        "write a sites file with comments, and a key, for sites of these names",
        "loggos init ann ben cleo",
        arguments.init,
        "Writes the sites file (--sites, $LOGGOS_SITES or ./sites.yaml) and beside it the\n"
        "shared secret cluster.key (mode 0600). It never overwrites. --new-key FILE writes a\n"
        "key alone, for a cluster that changes its key (docs/operations.md).\n\n"
        '--json prints {"sites":FILE,"key":FILE,"names":[NAME, ...]}.',
    ),
    Command(
        "demo",
        "tui.commands.demo:run",
        "make a cluster on loopback, start it, open the first site's screen",
        "loggos demo --size 3",
        arguments.demo,
        "Sites file, key and stores are in --data, else in the user's data folder under\n"
        "loggos/demo-N; started again it goes on. Leaving it stops all its engines.\n\n"
        '--headless prints {"ready":true,"sites":FILE,"data":DIR} and runs until SIGINT\n'
        "or SIGTERM. What --record wrote is shown by `loggos lab DIR/*.jsonl`.",
    ),
    Command(
        "open",
        "tui.commands.open:run",
        "show the screen of a site; starts its engine if none runs",
        "loggos open alice",
        arguments.open_site,
        "With --plain nothing is drawn, for screen readers: new tweets and outcomes are printed,\n"
        "a line each, and what is typed is a tweet, or a command such as /status (/help has them\n"
        "all). A terminal whose TERM is dumb, or not set, gets the same.",
    ),
    Command(
        "serve",
        "tui.commands.serve:run",
        "run a site's engine alone, in the foreground",
        "loggos serve alice --data /var/lib/loggos",
        arguments.serve,
        "The first line on stdout, once it takes commands, is\n"
        '{"ready":true,"site":...,"udp":...,"control":...}, and "metrics" where they are told;\n'
        "its log goes to stderr. An address that this machine does not have yet is waited for.\n"
        "SIGINT and SIGTERM stop it cleanly.",
    ),
    Command(
        "service",
        "tui.commands.service:run",
        "print a systemd unit that serves a site of this installation",
        "loggos service alice --user loggos",
        arguments.service,
        'Nothing is written or started. --json prints {"name","unit"}.',
    ),
    Command("stop", "tui.commands.stop:run", "stop a running engine cleanly", "loggos stop alice", arguments.site),
    Command(
        "tweet",
        "tui.commands.submit:tweet",
        "write a tweet, or one for each line of standard input",
        'loggos tweet alice "lunch at noon?"',
        arguments.tweet,
        "With --stdin the outcomes are printed in the order of the lines; blank lines are\n"
        "skipped, an invalid line is reported as refused and the rest goes on.\n\n"
        "Exit status: 0 created; 10 certainly not in the log; 11 not known yet\n"
        "(`loggos events SITE` tells later); of many lines the first of 3, 11, 10, 2, 0.",
    ),
    Command(
        "block",
        "tui.commands.submit:block",
        "keep another site from seeing this site's tweets",
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
        "With --fresh it shows everything that was chosen anywhere before the call: a\n"
        "majority is asked how far the log goes, and the view waits until all of that is\n"
        "here. Where this is not confirmed in time, what is known here is shown as\n"
        "perhaps stale, stderr says why, and the exit status is 11.",
    ),
    Command(
        "log",
        "tui.commands.read:log",
        "every slot of the log, with its state",
        "loggos log alice --from 1 --to 40",
        arguments.log,
        aliases=("view_log",),
    ),
    Command(
        "search",
        "tui.commands.search:run",
        "find words in the timeline, or in the log",
        "loggos search alice from:bob since:2026-11-01 lunch",
        arguments.search,
        "All words must be there, in any case; parts of words count. from: is an author, since: a\n"
        "date of your time zone, slot: one slot or several. With --log the author, the kind and the\n"
        "state of each slot are searched too, and what blocks hide. A log is read once: what was\n"
        "searched before is found at once.\n\n"
        "--json prints the lines of `view`, or with --log of `log`; no match is no error (0).",
    ),
    Command(
        "events",
        "tui.commands.read:events",
        "outcomes of this site's events, also those that were unknown at first",
        "loggos events alice alice/17",
        arguments.events,
    ),
    Command("blocks", "tui.commands.read:blocks", "the block table", "loggos blocks alice", arguments.site_or_store),
    Command(
        "data",
        "tui.commands.read:data",
        "the acceptor's variables for slots: maxPrepare, accNum, accVal",
        "loggos data alice 41 42",
        arguments.slots,
        "Without slots: those that are not learned yet.",
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
        "who belongs to the cluster, and who of them votes",
        "loggos members alice",
        arguments.site,
        "Standings: voter; no-vote (heard, and does not vote now); new-store (its disk was lost or\n"
        "replaced: `readmit` lets it vote again); learner; not-heard. All as far as SITE knows.\n\n"
        "--json prints one object:\n"
        '  {"site","members":[MEMBER, ...],"quorum":{"reachable","needed","size"},"coming":COMING}\n'
        'MEMBER is {"site","votes","wanted","standing","why","heard_s","chosen_through","store","address",\n'
        '"file_address","log_address"}, COMING null, or {"slot","since","entry":ENTRY}: a change in the\n'
        'log that is in effect from the slot "since" on.',
    ),
    Command(
        "readmit",
        "tui.commands.members:readmit",
        "let a site whose disk was lost vote again, with the store that it has now",
        "loggos readmit alice carol",
        arguments.change,
        "SITE is a site that votes. NAME is the one with the new store; it has to run. The change is an\n"
        "entry of the log. The command first shows what it does to the quorum, and asks; with --yes it\n"
        "does not ask. If NAME or too many voters are not heard, it is refused, unless --force is given.\n\n"
        + _CHANGED,
    ),
    Command(
        "add",
        "tui.commands.members:add",
        "add another site to the cluster",
        "loggos add alice dave 10.0.0.4:7001",
        arguments.add,
        "SITE is a site that votes. Start NAME afterwards, with the key and a sites file that names the\n"
        "others under `sites` and NAME under `added` (docs/operations.md). It copies the log, and votes\n"
        "once it has it; with --learner it does not vote until `promote`. At most 9 sites vote, and 9 more\n"
        "may be learners. The command asks first, as `readmit` does.\n\n" + _CHANGED,
    ),
    Command(
        "promote",
        "tui.commands.members:promote",
        "let a learner vote, with the store that it has",
        "loggos promote alice dave",
        arguments.change,
        "SITE is a site that votes. NAME was added with --learner, and has the log. The command asks first,\n"
        "as `readmit` does.\n\n" + _CHANGED,
    ),
    Command(
        "remove",
        "tui.commands.members:remove",
        "remove a site from the cluster",
        "loggos remove alice carol",
        arguments.change,
        "SITE is a site that votes, and may be NAME itself. What NAME wrote stays; it no longer votes or\n"
        "writes. Stop it once its `status` says that the others no longer need it. The command asks first,\n"
        "as `readmit` does.\n\n" + _CHANGED,
    ),
    Command(
        "move",
        "tui.commands.members:move",
        "tell all sites a new address of a site",
        "loggos move alice bob 10.0.0.7:7001",
        arguments.placed,
        "SITE is a site that votes. From then on the others look for NAME there, whatever their sites files\n"
        "say; NAME itself listens where its own file says. The command asks first, as `readmit` does.\n\n" + _CHANGED,
    ),
    Command(
        "health",
        "tui.commands.health:run",
        "whether the site takes events now, as a sentence and an exit status",
        "loggos health alice",
        arguments.site,
        "Exit status: 0 it takes events; 1 not now, and the sentence says why; 5 no engine is running.\n"
        '--json prints {"takes_events","why"}.',
    ),
    Command(
        "check",
        "tui.commands.check:run",
        "look for what is wrong with the sites of this machine, or soon will be",
        "loggos check alice",
        arguments.check,
        "Sites file, key, data folder, disk, store, port; of a running engine also its peers and\n"
        "their clocks. Each line says what to do. Nothing is changed.\n\n"
        "Exit status: 0 nothing is wrong (there may be warnings); 2 something is; 3 a store cannot\n"
        "be used; 4 a port is in use.\n\n"
        '--json prints one object a line: {"level":"ok"|"warning"|"wrong","about","says"}.',
    ),
    Command(
        "top",
        "tui.commands.top:run",
        "one screen over all sites that run here: quorum, leader, lag, rates, costs",
        "loggos top",
        arguments.top,
        "Without a terminal, and with --once, it prints lines: rates are of the time between two\n"
        "looks. Exit status: 0; 5 where no engine answers.\n\n"
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
        "The same as `serve --metrics HOST:PORT` tells over HTTP. docs/monitoring.md has names,\n"
        "units, a dashboard and alert rules.\n\n"
        '--json prints one object: {"status","holes","elections","created","commits",\n'
        '"round_trips","store_bytes","disk_free_bytes"}.',
    ),
    Command(
        "fill",
        "tui.commands.fill:run",
        "fill holes now: shows the plan, then the result for each slot",
        "loggos fill alice 41",
        arguments.fill,
        "Without slots: all holes. Exit status 11: a slot is not settled yet.",
    ),
    Command(
        "explain",
        "tui.commands.explain:run",
        "the history of a slot: who promised, who accepted, which quorum chose it, who learned it when",
        "loggos explain alice 43",
        arguments.explain,
        "This site asks the others what they have of the slot and what they remember. Who does not\n"
        "answer in time, and what nobody knows any more, is left blank. Nothing is changed.\n\n"
        "States: empty; promised; accepted (by a minority, or no majority is known); chosen (and not\n"
        "learned here); learned.\n\n"
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
        "With --record it prints nothing: FILE gets one JSON object a line, and keeps what was\n"
        "recorded however the recording ends. `loggos lab FILE ...` shows the\n"
        "recordings of several sites together, whatever their clocks say. --json prints\n"
        '{"recording":FILE,"site":NAME} once it records.',
    ),
    Command(
        "faults",
        "tui.commands.faults:run",
        "make the network of this site bad on purpose",
        'loggos faults alice add "to=bob type=accept drop=50%" --expires 60',
        arguments.faults,
        "Rules, one each:\n"
        "  to=bob type=accept drop=50%\n"
        "  from=* delay=200ms±50\n"
        "  to=carol hold\n"
        '  "partition alice,bob | carol,dave,erin"\n'
        "  from=bob type=promise pass   (rules before it hold no promise of bob's)\n"
        "They are never saved: a restart begins without any. What is held waits for release or drop.\n\n"
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
        "Holds the stores in these folders against the rules of the protocol, and against each\n"
        "other. Engines may run meanwhile; nothing is written. Stores of several machines can be\n"
        "audited together, as copies that were made while their sites were stopped, or as backups.\n\n"
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
        "copy a site's store, as it is at one moment, into a file",
        "loggos backup alice /mnt/other-disk/alice-monday.backup",
        arguments.backup,
        "The engine may run meanwhile, and waits for nothing. The file appears once it is whole, read\n"
        "through and synced. It holds a checksum of itself; the one that is printed is that of\n"
        "`sha256sum FILE`. `view`, `log` and `blocks` read it with --store FILE, and `audit FILE`.\n"
        "No site can be started from it: it would have forgotten what it promised since. Where a\n"
        "majority of the sites is gone for good, `rescue` makes a new cluster of what is left.\n\n"
        "Exit status: 0 done; 2 not at this place; 3 the store cannot be read, or the disk is full.\n\n"
        '--json prints {"backup":FILE,"site":NAME,"cluster":NAME,"slots":N,"bytes":N,"sha256":SUM}.',
    ),
    Command(
        "rescue",
        "tui.commands.rescue:run",
        "make a new cluster from the stores and backups that are left",
        "loggos rescue /var/lib/loggos/carol bob.backup --into /srv/rescued --cluster island-two",
        arguments.rescue,
        "For the day when a majority of the sites is gone for good. It reads what is left, says in\n"
        "numbers what of the log is certain and what is not, and asks before it writes anything.\n"
        "The new cluster has the same sites, a name and a key of its own, so that no old site can\n"
        "speak to it, and a store for each site with the whole log. The old stores are not touched.\n"
        "docs/operations.md goes through such a day.\n\n"
        "Addresses and settings are those of the old cluster's sites file (--sites), if it is there.\n\n"
        "Exit status: 0 written; 2 refused, or the answer was no; 3 a store cannot be read, or the\n"
        "disk is full; 4 a site runs on one of the stores; 12 the stores contradict each other.\n\n"
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
        "print the script that makes a shell complete commands, options, sites, slots and rules",
        "loggos completion bash",
        arguments.completion,
        "Keep it where the shell looks for it:\n"
        "  loggos completion bash > ~/.local/share/bash-completion/completions/loggos\n"
        "  loggos completion zsh > DIR/_loggos     DIR is a folder of $fpath\n"
        "  loggos completion fish > ~/.config/fish/completions/loggos.fish\n\n"
        '--json prints {"shell","script"}.',
    ),
    Command(
        "lab",
        "tui.commands.lab:run",
        "go through Paxos step by step in a simulated cluster; the real log is not touched",
        "loggos lab b-wins",
        arguments.lab,
        "SCENARIO is a name of `loggos lab --list`, a scenario file (docs/scenarios.md), or a line in\n"
        "a course's notation, in any case, with names (s1) or ports (8000 and up) of sites:\n"
        "  set value 7 on 8000\n"
        "  A_wins 8000 8004 123 456     also B_wins and BB_wins\n"
        "  livelock 8000 8004 123 456 20     goes round 20 times\n"
        "  restart\n"
        "The values given are the values shown. Files of `loggos trace --record` and `demo --record`\n"
        "are shown together, merged by what was sent and received.\n\n"
        "--live plays it on real engines over UDP and compares their trace with the simulated one:\n"
        "on those of a demo that runs (--sites, --data), else on some that it makes and removes.\n"
        "Whatever ends it leaves no fault rule behind.\n\n"
        "Exit status with --text or --live: 0 it went as the scenario expects; 12 it did not, or a\n"
        "rule is broken; 2 what is asked for cannot be understood, or done on real sites.\n\n"
        "--json plays without a screen, too: it prints one object a run, or with --list one a\n"
        "scenario (docs/commands.md).",
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
