"""`rescue`: a new cluster from the stores and backups that are left, when a majority of the old one is gone for good.

Rules that hold here:
- What is certain and what is not is said first. Nothing is written before the person agreed, and then in a folder
  that gets its name once all is in it.
- The old stores are only read (`storage.rescue`); that no site runs on them meanwhile is seen to there.
"""

from __future__ import annotations

import re
import shutil
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from engine.config import CLUSTER_NAME, read_cluster
from engine.core.ids import SiteId
from engine.core.storage import StoreError
from engine.plain_yaml import ConfigError
from engine.site_files import sites_file
from engine.template import KEY_NAME, PORT_FIRST, loopback_addresses, write_files
from storage.audit.run import audit
from storage.errors import told_to_readers
from storage.rescue.founding import found, publish
from storage.rescue.survey import Contradiction, Survey, survey
from storage.rescue.witnesses import RescueRefused, SiteRuns, Witnesses, read_witnesses
from tui import advice
from tui.commands.agreeing import agrees
from tui.commands.audit import violation_line, violation_shape
from tui.commands.rescue_report import print_survey, survey_shape
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupted, Interrupts
from tui.output import Account, Output, complain
from tui.parts import Part, Role
from tui.progress import ShowProgress, progress_bar

_SITES: Final = "sites.yaml"


def run(arguments: Namespace) -> int:
    into = Path(arguments.into).absolute()
    _check_target(into, arguments.cluster)
    with Interrupts() as interrupts:
        try:
            return _rescue(arguments, into, interrupts)
        except Interrupted:
            signal = interrupts.caught[0]
            raise CommandFailed(128 + signal, "interrupted: nothing was written") from None
        except RescueRefused as error:
            raise CommandFailed(ExitStatus.BAD_INPUT, str(error)) from error
        except SiteRuns as error:
            raise CommandFailed(ExitStatus.ALREADY_RUNNING, str(error)) from error
        except StoreError as error:
            raise CommandFailed(ExitStatus.STORE_UNUSABLE, told_to_readers(error)) from error


def _check_target(into: Path, cluster: str) -> None:
    if not CLUSTER_NAME.match(cluster):
        raise CommandFailed(
            ExitStatus.BAD_INPUT,
            f"a cluster's name is 1 to 32 characters of a-z, 0-9 and '-', a letter first, not {cluster!r}",
        )
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise CommandFailed(ExitStatus.BAD_INPUT, f"{into} already exists: name a new folder with --into")
    if not into.parent.is_dir():
        raise CommandFailed(ExitStatus.BAD_INPUT, f"{into.parent} is not a folder: make it, or change --into")


def _rescue(arguments: Namespace, into: Path, interrupts: Interrupts) -> ExitStatus:
    out = Account(arguments.json)
    places = [Path(named).absolute() for named in arguments.stores]
    with read_witnesses(places) as witnesses:
        if witnesses.cluster == arguments.cluster:
            raise RescueRefused(
                f"the old cluster is {arguments.cluster}: give the new one another name with --cluster, so that no old"
                " site can talk to it"
            )
        origin = _origin(arguments.sites, witnesses)
        try:
            with _progress(interrupts) as told:
                findings = survey(witnesses, time.time_ns() // 1_000_000, told)
        except Contradiction as contradiction:
            return _refuse(out, contradiction)
        if not out.as_json:
            print_survey(out, findings)
        if not (arguments.yes or agrees(_question(into, arguments.cluster), interrupts)):
            if out.as_json:
                out.json(survey_shape(findings, None))
            raise CommandFailed(ExitStatus.BAD_INPUT, "nothing was written: answer yes, or add --yes")
        with _progress(interrupts) as told:
            _write(_Target(into, arguments.cluster, origin), witnesses, findings, told)
    if out.as_json:
        new = {"cluster": arguments.cluster, "sites": str(into / _SITES), "data": str(into)}
        out.json(survey_shape(findings, new))
    else:
        _print_next(out, into, findings, origin)
    return ExitStatus.DONE


@dataclass(frozen=True, slots=True)
class _Target:
    """`origin`: the old cluster's sites file; None where it is not there."""

    into: Path
    cluster: str
    origin: Path | None


@contextmanager
def _progress(interrupts: Interrupts) -> Iterator[ShowProgress]:
    with progress_bar() as show:

        def told(what: str, done: int, of: int) -> None:
            if interrupts.caught:
                raise Interrupted
            show(what, done, of)

        yield told


def _origin(option: str | None, witnesses: Witnesses) -> Path | None:
    """The old cluster's sites file; None where it is not there. One that was named has to be it."""
    path = sites_file(option).absolute()
    try:
        cluster = read_cluster(path)
    except ConfigError as error:
        if option is None:
            return None
        raise RescueRefused(f"{error}; without --sites the new sites file gets loopback addresses") from error
    if (cluster.name, cluster.sites) == (witnesses.cluster, witnesses.sites):
        return path
    if option is None:
        return None
    raise RescueRefused(f"{path} is not of cluster {witnesses.cluster} with {', '.join(witnesses.sites)}: leave it out")


def _refuse(out: Output, contradiction: Contradiction) -> ExitStatus:
    if out.as_json:
        out.json({"contradictions": [violation_shape(each) for each in contradiction.evidence]})
    else:
        for violation in contradiction.evidence:
            violation_line(out, violation)
    complain(
        "the stores contradict each other, so no log follows from them, and nothing was written: name only those that"
        " you trust, and keep the others"
    )
    return ExitStatus.VIOLATION


def _question(into: Path, cluster: str) -> str:
    return f"Write the new cluster {cluster} into {into}?"


def _write(target: _Target, witnesses: Witnesses, findings: Survey, told: ShowProgress) -> None:
    into = target.into
    draft = into.with_name(f"{into.name}.part")
    try:
        draft.mkdir(mode=0o700)
    except FileExistsError:
        raise RescueRefused(f"{draft} is left over from an interrupted rescue: remove it, and try again") from None
    except OSError as error:
        raise RescueRefused(f"{draft} cannot be made ({error.strerror}): name another place with --into") from error
    try:
        found(draft, target.cluster, witnesses, findings, told)
        _write_sites(draft / _SITES, target, findings.founders)
        for number, site in enumerate(_newcomers(findings), len(findings.founders)):
            _write_added(draft, site, (findings.addresses.get(site), f"127.0.0.1:{PORT_FIRST + number}"))
        _check(draft, told)
        publish(draft, into)
    except (StoreError, ConfigError, OSError) as error:
        what = error.what if isinstance(error, StoreError) else str(error)
        raise CommandFailed(
            ExitStatus.STORE_UNUSABLE,
            f"the new cluster cannot be written: {what}. Nothing of it is left, and the old stores are unchanged",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_sites(path: Path, target: _Target, sites: tuple[SiteId, ...]) -> None:
    """With the addresses and settings of the old file, as far as it can be taken over line by line."""
    cluster, origin = target.cluster, target.origin
    if origin is None:
        write_files(path, cluster, loopback_addresses(sites))
        return
    old = read_cluster(origin)
    write_files(path, cluster, {site: old.addresses[site] for site in old.sites})
    plain = path.read_text()
    if old.added is not None:
        return
    text = re.sub(r"^cluster:.*$", f"cluster: {cluster}", origin.read_text(), flags=re.MULTILINE)
    text, keyed = re.subn(r"^key:.*$", f"key: {KEY_NAME}", text, flags=re.MULTILINE)
    path.write_text(text if keyed else f"{text.rstrip()}\nkey: {KEY_NAME}\n")
    try:
        new = read_cluster(path)
        is_new = (new.name, new.sites, new.key_files) == (cluster, sites, (KEY_NAME,))
    except ConfigError:
        is_new = False
    if not is_new:
        path.write_text(plain)


def _newcomers(findings: Survey) -> tuple[SiteId, ...]:
    """Those that the old cluster did not begin with."""
    return tuple(site for site in findings.sites if site not in findings.founders)


def _write_added(draft: Path, site: SiteId, places: tuple[str | None, ...]) -> None:
    """The file of a site that came later: it alone is not under `sites`. With the first of these places that it takes
    beside the others."""
    path, text = draft / _sites_of(site), (draft / _SITES).read_text().rstrip()
    for place in filter(None, places):
        path.write_text(f"{text}\nadded:\n  {site}: {place if place[0] != '[' else repr(place)}\n")
        try:
            read_cluster(path)
        except ConfigError:
            continue
        return


def _sites_of(site: SiteId) -> str:
    return f"sites-{site}.yaml"


def _check(draft: Path, told: ShowProgress) -> None:
    """What was written is held against the rules before it gets its name."""
    report = audit([draft], partial(told, "checking"))
    told("checking", report.slots, report.slots)
    if report.violations or report.unreadable or report.missing:
        said = [each.sentence for each in report.violations] + [each.reason for each in report.unreadable]
        raise AssertionError(f"the stores that were made do not agree: {said[:3]}")


def _print_next(out: Output, into: Path, findings: Survey, origin: Path | None) -> None:
    out.line(Part("written:", Role.GOOD), f"{into}, with {_SITES}, {KEY_NAME} and a store for each site")
    if origin is None:
        out.line(f"write each site's address into {into / _SITES}: it has loopback addresses now")
    else:
        out.line(f"addresses and settings are those of {origin}: change them if a site has moved")
    if newcomers := _newcomers(findings):
        files = ", ".join(_sites_of(site) for site in newcomers)
        out.line(f"sites that came after the cluster had begun have a sites file of their own: {files}")
    if findings.addresses:
        where = ", ".join(f"{site} at {place}" for site, place in sorted(findings.addresses.items()))
        out.line(
            f"the log has {where}, whatever a sites file says: start them there, or `loggos move` them once the others"
            " run"
        )
    out.line(
        "move each site's folder to its machine, with the sites file and the key, and start each site in one place only"
    )
    first = findings.voters[0]
    file = _SITES if first in findings.founders else _sites_of(first)
    serve = advice.command(into / file, into, "serve", first)
    out.line(f"for example `{serve}`; once a majority of the sites runs, they take events")
