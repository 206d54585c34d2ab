"""Archives against real nodes: what went into a file comes out of it, and a file that is not whole does nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from functools import partial
from pathlib import Path

from node.core.ring import POSITION_BITS, RING_BITS, position
from tests.harness.test_admin_living import keelhaul
from tests.node.runtime.loops import eventually
from tests.node.runtime.test_membership import FOUNDERS, PATIENCE_S, Living, insisted, lived, put

KEYS = [b"%d" % number for number in range(300)]


async def put_siblings(cluster: Living) -> None:
    """Three hundred keys, every tenth with two values that know nothing of each other."""
    for key in KEYS:
        await insisted(partial(cluster.nodes["n1"].client.put, key, b"one " + key, w=3))
        if int(key) % 10 == 0:
            await insisted(partial(cluster.nodes["n2"].client.put, key, b"two " + key, w=3))


async def values(cluster: Living, name: str, key: bytes) -> list[bytes]:
    """What all three replicas know of a key; a value that was put again, because nobody knew, counts once."""
    got = await insisted(partial(cluster.nodes[name].client.get, key, r=3))
    return sorted({version.value for version in got.versions})


async def are_back(cluster: Living) -> None:
    """All of them are there, and siblings are still two."""
    for number, key in enumerate(KEYS):
        twice = [b"one " + key, b"two " + key] if number % 10 == 0 else [b"one " + key]
        assert await values(cluster, FOUNDERS[number % 3], key) == twice


async def begin_again(cluster: Living, directory: Path) -> None:
    """End all nodes, delete all that they kept, and start them."""
    for name in FOUNDERS:
        await cluster.end(name, signal.SIGKILL)
        shutil.rmtree(directory / name)
    for name in FOUNDERS:
        await cluster.start(name)
    await eventually(cluster.all_up, timeout_s=PATIENCE_S)


def test_everything_comes_back_after_all_data_were_lost(tmp_path: Path) -> None:
    """Every partition into a file of its own; then three empty nodes; then all files at once."""

    async def story(cluster: Living) -> None:
        await put_siblings(cluster)
        at, out = ("--at", cluster.at("n1")), tmp_path / "archives"
        code, said, err = await keelhaul("archive", "--all", "--out", str(out), *at, "--json")
        assert (code, err) == (0, "")
        headers = [each["header"] for each in json.loads(said)]
        assert (len(headers), sum(header["keys"] for header in headers)) == (16, len(KEYS) + 1)
        assert len(list(out.iterdir())) == 16

        await begin_again(cluster, tmp_path)
        assert await values(cluster, "n1", KEYS[0]) == []
        code, said, err = await keelhaul("restore", *map(str, sorted(out.iterdir())), *at)
        assert (code, err) == (0, "")
        assert said.startswith("restored: 301 keys of 16 archives")
        await are_back(cluster)

    lived(tmp_path, story)


def test_what_is_newer_stays(tmp_path: Path) -> None:
    """An archive is merged: what replaced its values meanwhile is not replaced by them."""

    async def story(cluster: Living) -> None:
        n1, file = cluster.nodes["n1"], tmp_path / "k.archive"
        await put(n1, b"k", b"old")
        code, _, err = await keelhaul("archive", "--of", "k", "--out", str(file), "--at", cluster.at("n2"))
        assert (code, err) == (0, "")
        await put(n1, b"k", b"new")
        code, said, _ = await keelhaul("restore", str(file), "--at", cluster.at("n3"))
        assert code == 0
        assert said.startswith("restored: ")
        assert await values(cluster, "n1", b"k") == [b"new"]

    lived(tmp_path, story)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """One bit, or one byte less: one line, and nothing of any file is applied, also of those that are whole."""

    async def story(cluster: Living) -> None:
        at = ("--at", cluster.at("n1"))
        whole, file = tmp_path / "whole", tmp_path / "damaged"
        await put(cluster.nodes["n1"], b"k", b"a value")
        assert (await keelhaul("archive", "--of", "k", "--out", str(whole), *at))[0] == 0
        await begin_again(cluster, tmp_path)
        content = whole.read_bytes()
        flipped = bytearray(content)
        flipped[content.index(b"a value")] ^= 1
        for damaged in (bytes(flipped), content[:-1], content[:40], content + b"x"):
            file.write_bytes(damaged)
            code, said, err = await keelhaul("restore", str(whole), str(file), *at)
            assert (code, said, len(err.splitlines())) == (74, "", 1)
            assert err.startswith(f"keelhaul: {file} is damaged")
        file.write_bytes(b"something else")
        code, _, err = await keelhaul("restore", str(file), *at)
        assert (code, err) == (74, f"keelhaul: {file} is no archive of keelhaul: it does not begin like one\n")
        assert await values(cluster, "n1", b"k") == []

    lived(tmp_path, story)


def test_what_cannot_be_archived(tmp_path: Path) -> None:
    """A partition that is not there, a file that is, nothing at all: one line each, and no file is left behind."""

    async def story(cluster: Living) -> None:
        at, out = ("--at", cluster.at("n1")), tmp_path / "out"
        out.mkdir()
        code, _, err = await keelhaul("archive", "12345", "--out", str(out / "a"), *at)
        assert code == 64
        assert err.startswith("keelhaul: no partition ends at 12345; their ends are ")
        code, _, err = await keelhaul("archive", "--out", str(out / "a"), *at)
        assert (code, err) == (64, "keelhaul: archive: give one of PARTITION, --of KEY and --all\n")
        assert not list(out.iterdir())
        (out / "a").write_bytes(b"mine")
        code, _, err = await keelhaul("archive", "--of", "k", "--out", str(out / "a"), *at)
        assert (code, (out / "a").read_bytes()) == (64, b"mine")
        code, _, err = await keelhaul("archive", "--of", "k", "--out", str(out / "none" / "a"), *at)
        assert (code, err) == (74, f"keelhaul: cannot write {out / 'none' / 'a'}: No such file or directory\n")
        code, _, err = await keelhaul("archive", "--all", "--out", str(out), *at)
        assert (code, err) == (64, f"keelhaul: {out} is not empty; give a new directory\n")

    lived(tmp_path, story)


def test_an_archive_while_writes_go_on(tmp_path: Path) -> None:
    """All that was acknowledged by all replicas before it was begun is in it, whatever comes during it."""

    async def story(cluster: Living) -> None:
        at, client = ("--at", cluster.at("n1")), cluster.nodes["n2"].client
        await put_siblings(cluster)
        report = await cluster.admin.ring(cluster.at("n1"))
        seats = next(each for each in report.seats if each.start <= _place(KEYS[7]) < each.end)
        before = sum(seats.start <= _place(key) < seats.end for key in (*KEYS, b"up"))
        written = 0

        async def write() -> None:
            nonlocal written
            while True:
                await insisted(partial(client.put, b"later %d" % written, b"v"))
                written += 1

        writing = asyncio.create_task(write())
        file = tmp_path / "file"
        code, said, err = await keelhaul("archive", str(seats.end), "--out", str(file), *at, "--json")
        seen = written
        writing.cancel()
        assert (code, err) == (0, "")
        (saved,) = json.loads(said)
        assert seen > 10
        assert before <= saved["header"]["keys"] <= before + seen
        assert (saved["header"]["start"], saved["header"]["node"]) == (seats.start, seats.nodes[0])
        code, said, _ = await keelhaul("restore", str(file), *at)
        assert code == 0

    lived(tmp_path, story)


def test_another_node_tells_what_the_first_one_cannot(tmp_path: Path) -> None:
    """A partition is archived as long as one of its nodes is there, and restored at any."""

    async def story(cluster: Living) -> None:
        await put_siblings(cluster)
        report = await cluster.admin.ring(cluster.at("n1"))
        end = report.seats[0].end
        first, second, _ = report.seats[0].nodes
        await cluster.end(first, signal.SIGKILL)
        file = tmp_path / "file"
        at = ("--at", cluster.at(second))
        code, said, err = await keelhaul("archive", str(end), "--out", str(file), *at, "--json")
        assert (code, err, json.loads(said)[0]["header"]["node"]) == (0, "", second)
        await cluster.end(second, signal.SIGKILL)
        code, _, err = await keelhaul("restore", str(file), *at)
        assert code == 69
        assert len(err.splitlines()) == 1

    lived(tmp_path, story)


def _place(key: bytes) -> int:
    return position(key) >> POSITION_BITS - RING_BITS
