"""The guide and the notes say what the files say."""

import re
from pathlib import Path

import pytest
import yaml

from domain.payloads import STEPS
from tests.support.bicep_syntax import parse
from tests.support.infra import INFRA, ROOT, plan, read_json

GUIDE = (ROOT / "docs" / "azure.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "docs" / "azure.md",
    ROOT / "docs" / "cost.md",
    ROOT / "SECURITY.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs" / "decisions").glob("infra-*.md")),
]
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def _anchors(text: str) -> set[str]:
    return {_anchor(h) for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def test_every_skipped_policy_check_has_its_reason() -> None:
    skipped = yaml.safe_load((INFRA / ".checkov.yaml").read_text())["skip-check"]
    note = (ROOT / "docs" / "decisions" / "infra-policy-checks.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| (CKV_AZURE_\d+) \| \S", note, re.MULTILINE)
    assert sorted(explained) == sorted(skipped)


def test_storage_names_are_within_the_rules() -> None:
    """What the policy check misreads: uniqueString gives 13 characters, `token` stands for them."""
    for account in plan().of("Microsoft.Storage/storageAccounts"):
        name = account.name.replace("token", "a" * 13)
        assert re.fullmatch(r"[a-z0-9]{3,24}", name)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.is_file(), target
        if anchor:
            assert anchor in _anchors(file.read_text(encoding="utf-8")), target


def test_guide_names_every_module() -> None:
    for path in (INFRA / "app").glob("*.bicep"):
        assert f"app/{path.name}" in GUIDE, path.name


def test_guide_names_every_choice() -> None:
    choices = set(re.findall(r"\$\{(\w+)", (INFRA / "main.parameters.json").read_text()))
    by_azd = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID", "AZURE_PRINCIPAL_TYPE"}
    for variable in choices - by_azd:
        assert variable in GUIDE, variable


def test_guide_uses_variables_that_exist() -> None:
    known = set(plan().outputs) | {"AZURE_SUBSCRIPTION_ID"}
    known |= set(re.findall(r"(?:export )?(\w+)=\"\$", GUIDE))
    used = set(re.findall(r"\$([A-Z][A-Z_]+)", GUIDE))
    assert used - known == set()


def test_guide_says_what_was_not_run() -> None:
    listed = GUIDE.split("## Not yet run on Azure")[1]
    assert len(re.findall(r"^\d+\. ", listed, re.MULTILINE)) >= 10


def test_guide_names_no_price() -> None:
    assert re.findall(r"[$€£]\s?\d|\d\s?(?:USD|EUR|GBP)", GUIDE) == []


def test_an_order_takes_the_activities_that_the_cost_counts() -> None:
    told = re.search(r"actions \| (\d+) an order; in a batch (\d+)", GUIDE)
    assert told is not None
    # Its start, each activity and its result; in a batch its own result too.
    alone = 1 + 2 * len(STEPS)
    assert (int(told[1]), int(told[2])) == (alone, alone + 1)


def test_alerts_are_counted_right() -> None:
    metric = plan().of("Microsoft.Insights/metricAlerts")
    query = plan().of("Microsoft.Insights/scheduledQueryRules")
    assert (len(metric), len(query)) == (4, 3)
    assert "seven alert rules (four metric, three log)" in GUIDE


def test_retention_in_the_guide_is_the_schedulers() -> None:
    policies = plan().one("Microsoft.DurableTask/schedulers/retentionPolicies").properties
    days = {
        p["orchestrationState"]: p["retentionPeriodInDays"] for p in policies["retentionPolicies"]
    }
    assert days == {"Completed": 7, "Failed": 30, "Terminated": 30}
    assert "visible for 7 days (failed and terminated ones for\n30)" in GUIDE


def test_regions_are_said_to_be_in_the_template() -> None:
    location = parse(INFRA / "main.bicep").of("param")["location"]
    names = {d.value for d in location.decorators}
    assert {"allowed", "metadata"} <= names
    assert read_json("infra/main.parameters.json")["parameters"]["location"]["value"] == (
        "${AZURE_LOCATION}"
    )
