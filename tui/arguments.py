"""What each command takes: its arguments, their defaults and their help.

Rules that hold here:
- --sites, --data and --json are taken before the command's name and after it.
- Nothing is imported here that a command needs to run: `--help` and a typing mistake cost no more than argparse.
"""

from __future__ import annotations

import argparse
from typing import Final

from tui import typed_words as words
from tui.typed_words import CommandParser

TIMEOUT_DEFAULT_S: Final = 10.0
LINES_DEFAULT: Final = 50
TRACE_LINES_DEFAULT: Final = 200
EXPLAIN_TIMEOUT_DEFAULT_S: Final = 1.0
TOP_EVERY_DEFAULT_S: Final = 1.0
DEMO_SIZE_DEFAULT: Final = 5
LAB_SIZE_DEFAULT: Final = 5


def of_all_commands(parser: argparse.ArgumentParser, default: str | None) -> None:
    options = parser.add_argument_group("options of every command")
    options.add_argument(
        "--sites", metavar="FILE", default=default, help="the sites file (default: $LOGGOS_SITES, else ./sites.yaml)"
    )
    options.add_argument(
        "--data",
        metavar="DIR",
        default=default,
        help="the folder of the stores (default: $LOGGOS_DATA, else your user's data folder)",
    )
    options.add_argument(
        "--json", action="store_true", default=default or False, help="print JSON: one object, or one object a line"
    )


def overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overwrite", action="store_true", help="with --record: replace a file that exists")


def site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", metavar="SITE", help="a name in the sites file")


def look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ascii", action="store_true", help="draw frames and signs in ASCII")


def shown_site(parser: argparse.ArgumentParser) -> None:
    look(parser)
    parser.add_argument(
        "--plain",
        action="store_true",
        help="no screen: print what is new and read tweets and /commands, one a line (as on a dumb terminal)",
    )


def open_site(parser: argparse.ArgumentParser) -> None:
    site(parser)
    shown_site(parser)


def site_or_store(parser: argparse.ArgumentParser) -> None:
    """One of them; the parser sees to that."""
    parser.add_argument("site", metavar="SITE", nargs="?", help="a name in the sites file")
    parser.add_argument(
        "--store",
        metavar="FILE",
        type=words.utf8_text,
        help="instead of SITE: read a backup or a site's folder, without an engine",
    )


def timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=words.seconds,
        default=TIMEOUT_DEFAULT_S,
        help="how long to wait for the outcome (default: %(default)g)",
    )


def limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", metavar="N", type=words.lines, help=f"the newest N (default: {LINES_DEFAULT})")


def init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="site names (default: alice, bob, carol, dave, erin)")
    parser.add_argument("--size", metavar="N", type=words.size, help="use this many default names instead of NAME ...")
    parser.add_argument(
        "--new-key",
        metavar="FILE",
        type=words.utf8_text,
        help="only write a new key to FILE, for a cluster that changes its key",
    )


def demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", metavar="N", type=words.size, help=f"number of sites (default: {DEMO_SIZE_DEFAULT})")
    shown_site(parser)
    parser.add_argument(
        "--headless", action="store_true", help="no screen: print a line when ready, and run until SIGINT or SIGTERM"
    )
    parser.add_argument(
        "--record",
        metavar="DIR",
        type=words.utf8_text,
        help="record every site from its first datagram on into DIR/SITE.jsonl, for the lab",
    )
    overwrite(parser)


def serve(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument(
        "--until-eof",
        action="store_true",
        help="stop, as on SIGTERM, when standard input ends: the engine then stops when its parent dies",
    )
    parser.add_argument(
        "--recorded",
        action="store_true",
        help="keep everything from the start on for the first `trace --record`",
    )
    metrics_at(parser)
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="log messages of this level and above (default: %(default)s)",
    )
    parser.add_argument("--log-json", action="store_true", help="write the log as JSON, one object a line")
    parser.add_argument(
        "--log-file",
        metavar="FILE",
        type=words.utf8_text,
        help="write the log, and anything else for stderr, to FILE; it is rotated to FILE.1 up to FILE.4",
    )


def metrics_at(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        type=words.address,
        help="serve metrics at http://HOST:PORT/metrics",
    )


def metrics(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument(
        "--text", action="store_true", help="the older Prometheus text format, for promtool and textfile collectors"
    )


def check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sites_named",
        metavar="SITE",
        nargs="*",
        help="sites that run here, or should (default: those with a folder here)",
    )


def top(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folders",
        metavar="DATA_DIR",
        nargs="*",
        type=words.utf8_text,
        help="data folders (default: --data, else the sites file's and all in your user's data folder)",
    )
    look(parser)
    parser.add_argument("--once", action="store_true", help="no screen: print once and exit")
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        type=words.seconds,
        default=TOP_EVERY_DEFAULT_S,
        help="time between two updates (default: %(default)g)",
    )


def service(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument("--user", metavar="NAME", help="the user that the engine runs as (default: you)")
    metrics_at(parser)


def tweet(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument(
        "text",
        metavar="TEXT",
        nargs="?",
        type=words.utf8_text,
        help="1 to 280 characters; write -- before it if it starts with -",
    )
    parser.add_argument("--stdin", action="store_true", help="write each line of standard input as a tweet, in order")
    timeout(parser)
    parser.add_argument(
        "--retry", action="store_true", help="if another event takes the slot, try the next one, with the same id"
    )


def block(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument("other", metavar="OTHER", type=words.utf8_text, help="the site to block or unblock")
    timeout(parser)


def search(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument(
        "words",
        metavar="WORDS",
        nargs="+",
        type=words.utf8_text,
        help='words, "a phrase", from:bob, since:2026-11-01, slot:40-50',
    )
    parser.add_argument("--log", action="store_true", help="search every slot of the log, not only the timeline")
    limit(parser)
    parser.add_argument("-C", "--context", metavar="N", type=words.lines, help="show N lines before and after each hit")


def view(parser: argparse.ArgumentParser) -> None:
    site_or_store(parser)
    parser.add_argument("--fresh", action="store_true", help="first have a majority confirm that nothing is missing")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=words.seconds,
        help=f"with --fresh: how long to wait for that (default: {TIMEOUT_DEFAULT_S:g})",
    )
    limit(parser)
    follow(parser, "tweets")


def follow(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--follow", action="store_true", help=f"then print new {what} as they arrive, until Ctrl+C")


def log(parser: argparse.ArgumentParser) -> None:
    site_or_store(parser)
    parser.add_argument(
        "--from",
        metavar="K",
        type=words.slot,
        dest="first",
        help="from this slot on (shows all, unless --limit is given)",
    )
    parser.add_argument(
        "--to", metavar="K", type=words.slot, dest="last", help="up to this slot (shows all, unless --limit is given)"
    )
    limit(parser)
    follow(parser, "slots that are learned without a gap")


def events(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument("ids", metavar="ID", nargs="*", type=words.event_id, help="event ids, such as alice/17")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=words.event_lines,
        default=LINES_DEFAULT,
        help="the newest N (default: %(default)d)",
    )


def slots(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument("slots", metavar="K", nargs="*", type=words.slot, help="slot numbers")


def change(parser: argparse.ArgumentParser) -> None:
    """Of the members."""
    site(parser)
    parser.add_argument("name", metavar="NAME", type=words.utf8_text, help="the site to change")
    _meant(parser)


def placed(parser: argparse.ArgumentParser) -> None:
    """Of the members, with where one is."""
    site(parser)
    parser.add_argument("name", metavar="NAME", type=words.utf8_text, help="the site to change")
    parser.add_argument(
        "address", metavar="HOST:PORT", type=words.utf8_text, help="its UDP address, as the other sites reach it"
    )
    _meant(parser)


def add(parser: argparse.ArgumentParser) -> None:
    placed(parser)
    parser.add_argument("--learner", action="store_true", help="it does not vote until `promote`")


def _meant(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do it without asking")
    parser.add_argument("--force", action="store_true", help="do it even if too few voters are heard")
    timeout(parser)


def fill(parser: argparse.ArgumentParser) -> None:
    slots(parser)
    timeout(parser)


def explain(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument("slot", metavar="K", type=words.slot, help="a slot, from 1")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=words.seconds,
        default=EXPLAIN_TIMEOUT_DEFAULT_S,
        help="how long to wait for the other sites' answers (default: %(default)g)",
    )


def trace(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument("--follow", action="store_true", help="then print new lines as they come, until Ctrl+C")
    parser.add_argument(
        "--record",
        metavar="FILE",
        type=words.utf8_text,
        help="instead, record everything from now on into FILE until Ctrl+C, for the lab",
    )
    overwrite(parser)
    parser.add_argument("--slot", metavar="K", type=words.slot, help="only lines about this slot")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=words.trace_lines,
        default=TRACE_LINES_DEFAULT,
        help="the newest N (default: %(default)d)",
    )


def faults(parser: argparse.ArgumentParser) -> None:
    site(parser)
    actions = parser.add_subparsers(metavar="ACTION", dest="action", parser_class=CommandParser, title="actions")

    def action(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        added = actions.add_parser(
            name, help=summary, description=summary, epilog=f"example: {example}", allow_abbrev=False
        )
        of_all_commands(added, argparse.SUPPRESS)
        return added

    action("list", "list the rules and the held messages (the default)", "loggos faults alice list")
    add = action("add", "add a rule, in force at once", 'loggos faults alice add "from=* delay=200ms±50"')
    add.add_argument(
        "rule", metavar="RULE", nargs="+", type=words.utf8_text, help="for example: to=bob type=accept drop=50%%"
    )
    add.add_argument("--expires", metavar="SECONDS", type=words.seconds, help="remove the rule after this time")
    action("clear", "remove all rules and release held messages", "loggos faults alice clear")
    remove = action("remove", "remove one rule", "loggos faults alice remove 2")
    remove.add_argument("number", metavar="N", type=words.number, help="the rule's number")
    for name, summary in (("release", "send held messages now"), ("drop", "drop held messages")):
        held = action(name, f"{summary} (default: all)", f"loggos faults alice {name} 1 2")
        held.add_argument("held", metavar="N", nargs="*", type=words.number, help="numbers of held messages")


def audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folders",
        metavar="DATA_DIR",
        nargs="+",
        type=words.utf8_text,
        help="a data folder, the folder of one site, or a backup",
    )


def backup(parser: argparse.ArgumentParser) -> None:
    site(parser)
    parser.add_argument("file", metavar="FILE", type=words.utf8_text, help="the file to write, ideally on another disk")
    parser.add_argument(
        "--overwrite", "--force", action="store_true", dest="overwrite", help="replace a file that exists"
    )


def rescue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stores",
        metavar="STORE",
        nargs="+",
        type=words.utf8_text,
        help="a backup, a site's folder or a data folder; name all that are left",
    )
    parser.add_argument(
        "--into", metavar="DIR", required=True, type=words.utf8_text, help="a new folder for the new cluster"
    )
    parser.add_argument("--cluster", metavar="NAME", required=True, help="the new cluster's name, not the old one")
    parser.add_argument("--yes", action="store_true", help="write it without asking")


def completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", nargs="?", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")
    parser.add_argument("--values", help=argparse.SUPPRESS)  # for the script itself


def lab(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="SCENARIO",
        nargs="*",
        type=words.utf8_text,
        help="a scenario's name, a file, recordings, a line in course notation, or - for standard input",
    )
    look(parser)
    parser.add_argument("--text", action="store_true", help="no screen: print the trace, the diagram and the result")
    parser.add_argument("--live", action="store_true", help="play it on real sites, over real UDP")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--broken", metavar="MISTAKE", help="break a rule on purpose, and show the step that broke it")
    parser.add_argument("--mistakes", action="store_true", help="list the mistakes for --broken")
    parser.add_argument(
        "--size",
        metavar="N",
        type=int,
        choices=(3, 5),
        default=LAB_SIZE_DEFAULT,
        help="number of sites for a line in course notation: 3 or 5 (default: %(default)d)",
    )
