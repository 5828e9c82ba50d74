"""Version, changelog and packaging agree, and the pages that users are referred to exist."""

import datetime
import os
import re
import subprocess
import sys

import pytest

import pynq_circnn

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def releases():
    """Return the sections of the changelog as (name, rest of the heading), from the top."""
    return re.findall(r"^## \[(.*?)\](.*)$", read("CHANGELOG.md"), re.MULTILINE)


def test_the_changelog_starts_with_what_is_unreleased_and_then_this_version():
    (first, rest), (version, _) = releases()[:2]
    assert (first, rest) == ("Unreleased", "")
    assert version == pynq_circnn.__version__


def test_every_release_has_a_version_and_a_date_and_the_newest_is_first():
    found = releases()[1:]
    dates = [datetime.date.fromisoformat(rest.replace(" - ", "", 1)) for _, rest in found]
    assert dates == sorted(dates, reverse=True)
    versions = [tuple(map(int, version.split("."))) for version, _ in found]
    assert all(len(version) == 3 for version in versions)
    assert versions == sorted(set(versions), reverse=True)


def test_changes_stand_under_the_headings_of_keep_a_changelog():
    headings = re.findall(r"^### (.*)$", read("CHANGELOG.md"), re.MULTILINE)
    allowed = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert headings and set(headings) <= allowed


def test_setup_takes_the_version_of_the_package(tmp_path):
    pytest.importorskip("setuptools")
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.PIPE)
    with open(tmp_path / "pynq_circnn.egg-info" / "PKG-INFO", encoding="utf-8") as file:
        assert f"\nVersion: {pynq_circnn.__version__}\n" in file.read()


def test_the_version_is_written_once():
    number = re.escape(pynq_circnn.__version__)
    for name in ("setup.py", "pyproject.toml", "Makefile", "docs/conf.py", "MANIFEST.in"):
        assert not re.search(rf"(?<![\d.]){number}(?![\d.])", read(name)), name


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "RELEASE.md"])
def test_commands_that_pages_name_exist(name):
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", read(name), re.MULTILINE))
    assert named <= targets, named - targets


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "RELEASE.md"])
def test_links_lead_to_files(name):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", read(name))
    assert [link for link in links if not os.path.exists(os.path.join(ROOT, link))] == []
