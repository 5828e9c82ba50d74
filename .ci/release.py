"""Build the sdist and the wheel, and try both as a user would: ``make release``.

Each is installed in a fresh environment that holds what its requirements name and nothing else,
the wheel as it is and the sdist through its own build with gcc; there ``circnn verify digits`` and
``circnn demo`` run, far from this checkout. The files in both are compared with those that git
tracks, so that none is missing and none strays in. The first fault ends it, with its reason.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DIST = os.path.join(ROOT, "dist")

# of the checkout, but of no use in an sdist: for git and the gate, and two links
_NOT_IN_SDIST = re.compile(r"\.gitignore|\.ci/.*|notebooks|overlays")
# made when an sdist is built
_MADE = re.compile(r"PKG-INFO|setup\.cfg|pynq_circnn\.egg-info/.*")
# what a wheel brings besides the tracked files: the compiled back end and the metadata
_COMPILED = re.compile(r"pynq_circnn/_native\..*\.(so|pyd)")
# of the package, but not installed: sources of the compiled back end, figures of the README
_NOT_IN_WHEEL = re.compile(r"pynq_circnn/(native/.*|notebooks/figures/.*)")


def fail(reason):
    """Stop with a reason."""
    sys.exit(f"make release: {reason}")


def run(*command, **more):
    """Run a command; where it fails, show what it printed and stop."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more
    )
    if done.returncode:
        fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def version():
    """Return the version, from the one place where it is written."""
    with open(os.path.join(ROOT, "pynq_circnn", "__init__.py"), encoding="utf-8") as file:
        return re.search('__version__ = "(.*)"', file.read()).group(1)


def tracked():
    """Return the files that git tracks."""
    return set(run("git", "-C", ROOT, "ls-files", "-z").strip("\0").split("\0"))


def export(files, folder):
    """Copy the tracked files: no earlier build and no stray file of the checkout comes along."""
    for name in sorted(files):
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(os.path.join(ROOT, name), target, follow_symlinks=False)


def compare(name, found, expected):
    """Stop unless a distribution holds the files that it must hold."""
    missing, stray = sorted(expected - found), sorted(found - expected)
    if missing or stray:
        fail(
            f"{name} must hold the files that git tracks (see MANIFEST.in and package_data in "
            f"setup.py).\nmissing: {missing}\nstray: {stray}"
        )
    print(f"  {len(found)} files, none missing, none stray")


def check_sdist(path, files):
    """Hold an sdist to the tracked files."""
    with tarfile.open(path) as archive:
        names = [member.name for member in archive.getmembers() if not member.isdir()]
    found = {name.split("/", 1)[1] for name in names}
    found = {name for name in found if not _MADE.fullmatch(name)}
    compare("the sdist", found, {name for name in files if not _NOT_IN_SDIST.fullmatch(name)})


def check_wheel(path, files):
    """Hold a wheel to the tracked files of the package, with licence and compiled back end."""
    with zipfile.ZipFile(path) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    compiled = {name for name in names if _COMPILED.fullmatch(name)}
    metadata = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    if not compiled:
        fail("the wheel has no native back end: is gcc installed?")
    if not any(name.endswith("/LICENSE") for name in metadata):
        fail("the wheel has no LICENSE among its metadata")
    expected = {
        re.sub("^hw/", "pynq_circnn/hw/", name)
        for name in files
        if name.startswith(("pynq_circnn/", "hw/src/", "hw/sim/"))
        and not _NOT_IN_WHEEL.fullmatch(name)
    }
    compare("the wheel", names - compiled - metadata, expected)


def try_out(path, expected_version):
    """Install a distribution in a fresh environment and use it there."""
    with tempfile.TemporaryDirectory() as folder:
        home = os.path.join(folder, "venv")
        venv.create(home, with_pip=True)
        scripts = os.path.join(home, "bin")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP"))}
        environment["PATH"] = scripts + os.pathsep + environment["PATH"]

        def there(*command):
            return run(*command, cwd=folder, env=environment)

        def install(what):
            there("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what)

        install(path)
        if expected_version not in there("circnn", "--version"):
            fail(f"circnn --version must say {expected_version}: {path}")
        where = there("python", "-c", "import pynq_circnn; print(pynq_circnn.__file__)").strip()
        if not where.startswith(home):
            fail(f"the installed package must be used. Received: {where}")
        verified = there("circnn", "verify", "digits")
        wanted = ["native"] + (["csim"] if shutil.which("g++") else [])
        for name in wanted:
            if not re.search(rf"^{name} .* equal$", verified, re.MULTILINE):
                fail(f"circnn verify must compare the back end {name}. Received:\n{verified}")
        print(f"  circnn verify {verified.strip().splitlines()[-1]}")
        install(path + "[demo]")
        there("circnn", "demo")
        print("  circnn demo: runs")


def changelog_date(release):
    """Return the date of a version in the changelog, or None."""
    with open(os.path.join(ROOT, "CHANGELOG.md"), encoding="utf-8") as file:
        found = re.search(rf"^## \[{re.escape(release)}\] - (.*)$", file.read(), re.MULTILINE)
    return found and found.group(1)


def main():
    """Build, check and try both."""
    release, files = version(), tracked()
    date = changelog_date(release)
    if not date:
        fail(f"CHANGELOG.md must have a section '## [{release}] - YYYY-MM-DD'")
    shutil.rmtree(DIST, ignore_errors=True)
    print(f"pynq_circnn {release}: building sdist and wheel")
    with tempfile.TemporaryDirectory() as copy:
        export(files, copy)
        run(sys.executable, "-m", "build", "--outdir", DIST, copy)
    (sdist,) = [os.path.join(DIST, name) for name in os.listdir(DIST) if name.endswith(".tar.gz")]
    (wheel,) = [os.path.join(DIST, name) for name in os.listdir(DIST) if name.endswith(".whl")]
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    for path, check in ((sdist, check_sdist), (wheel, check_wheel)):
        print(os.path.relpath(path, ROOT))
        check(path, files)
        try_out(path, release)
    changed = run("git", "-C", ROOT, "status", "--porcelain").strip()
    print("\nBoth are good. Next (RELEASE.md says more):")
    if changed:
        print("  commit first, and run this again: the checkout has changes of its own")
    print(f"  is {date} still the date of {release} in CHANGELOG.md?")
    print(f"  git tag -a v{release} -m 'pynq_circnn {release}' && git push origin v{release}")
    print(f"  attach {os.path.basename(sdist)} and {os.path.basename(wheel)} to the tag's release")


if __name__ == "__main__":
    main()
