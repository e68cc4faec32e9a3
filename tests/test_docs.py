"""The docs are true: examples load, links lead somewhere, tables name what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from proxy import config
from proxy.core.evidence import CHOSEN_GAPS
from proxy.core.secret_names import BUILT_IN

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "scripts/*.md", "bench/*.md") for path in ROOT.glob(pattern)
)


def test_readme_shows_the_config_as_shipped():
    """The README's example is config/migration.yaml, byte for byte."""
    shown = re.search(
        r"<!-- config/migration.yaml -->\n```yaml\n(.*?)```\n<!-- end -->", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert shown is not None
    assert (ROOT / "config" / "migration.yaml").read_text() == shown[1]


def test_shipped_config_loads_without_a_warning():
    """What the demo runs on is sound."""
    loaded = config.load(ROOT / "config" / "migration.yaml", {})
    assert () == loaded.warnings
    assert loaded.migration.route("feeds") is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page: Path):
    """No relative link of a page is broken."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [] == [target for target in targets if not (page.parent / target).exists()]


def test_every_dependency_has_its_reason():
    """docs/dependencies.md names each package of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    names = {re.split(r"[\[<>=~! ]", requirement, maxsplit=1)[0] for requirement in wanted}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    assert set() == {name for name in names if f"| {name}" not in page}
    extras = [name for name in project["optional-dependencies"]["dev"] if not name.startswith(("changeover", "types-"))]
    assert [] == [name for name in extras if re.split(r"[<>=]", name, maxsplit=1)[0] not in page]


def test_every_script_is_described():
    """scripts/README.md names each script."""
    page = (ROOT / "scripts" / "README.md").read_text()
    scripts = [path.name for path in (ROOT / "scripts").iterdir() if path.suffix == ""]
    assert [] == [name for name in scripts if f"`scripts/{name}" not in page]


def test_architecture_names_only_files_that_exist():
    """Each module that docs/architecture.md speaks of is there."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:core|traffic|control)/[a-z_0-9]+)`", page))
    missing = [
        name
        for name in sorted(named)
        if not (ROOT / "proxy" / f"{name}.py").exists() and not (ROOT / "proxy" / name).is_dir()
    ]
    assert [] == missing


def test_glossary_explains_the_chosen_gaps():
    """Each reason that coverage leaves out is named where coverage is explained."""
    page = (ROOT / "docs" / "glossary.md").read_text()
    assert [] == [reason for reason in sorted(CHOSEN_GAPS) if f"`{reason}`" not in page]


def test_masking_names_the_built_in_list():
    """docs/masking.md has every built-in name under its kind, and no other."""
    page = (
        (ROOT / "docs" / "masking.md").read_text().partition("<!-- built-in list -->")[2].partition("<!-- end -->")[0]
    )
    kinds = re.findall(r"^- (contains|ends with|is) (.*?);$", page, re.MULTILINE | re.DOTALL)
    assert {kind: sorted(names) for kind, names in BUILT_IN.items()} == {
        kind: re.findall(r"`(\w+)`", names) for kind, names in kinds
    }


def test_changelog_has_this_version():
    """The version of the package is a section of the changelog."""
    from proxy import __version__

    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()
