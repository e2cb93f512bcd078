"""What docs/monitoring asks of Prometheus: the alert rules, and the dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

DOCS: Final = Path(__file__).parents[2] / "docs"
ALERTS: Final = DOCS / "monitoring/loggos-alerts.yml"
DASHBOARD: Final = DOCS / "monitoring/loggos-dashboard.json"
NAME: Final = re.compile(r"\b(?:loggos|process)_[a-z_]+")

Json = Any


def dashboard() -> Json:
    return json.loads(DASHBOARD.read_text())


def alerts() -> list[str]:
    return [rule["expr"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def names_asked_for() -> Iterator[str]:
    for asked in (*alerts(), *panels()):
        yield from NAME.findall(asked)
