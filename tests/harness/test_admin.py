"""The commands of an operator: what they show, what they refuse in one line, and their exit codes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from rich.console import Console

from harness import admin, admin_asking, admin_tables
from harness.admin_asking import Survey
from harness.cli import main
from node.core.admin_messages import Plan, Stage
from node.core.changes import Member
from tests.harness.fake_operator import MOVE, NODES, RING, FakeCluster, address, report, ring


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A cluster that the commands find where they dial."""
    made = FakeCluster()
    monkeypatch.setattr(admin_asking, "dial_at", made.dial)
    monkeypatch.delenv("KEELHAUL_AT", raising=False)
    return made


def keelhaul(*arguments: str) -> Result:
    """Run an operator's command."""
    return CliRunner().invoke(admin.admin_command, list(arguments), catch_exceptions=False, prog_name="keelhaul admin")


def said(*arguments: str) -> list[str]:
    """The lines that a command prints that does what it is asked for."""
    result = keelhaul(*arguments)
    assert result.exit_code == 0, result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


# --- looking ---------------------------------------------------------------------------------------------------------


def test_status(cluster: FakeCluster) -> None:
    """Every member, also one that is silent; shares are of all replicas of all keys; the last line is about rings."""
    cluster.silent.append("n2")
    assert said("status") == [
        "node  state          address         place    tokens   share  seats  hints  ring  life  incarnation",
        "n1    valid          127.0.0.1:7101  east/r1      21  33.33%  4 → 3      9  same  #2    incarn-n1",
        "n2    valid, silent  127.0.0.1:7102  east/r1      21  33.33%  4 → 3      –  –     –     –",
        "n3    valid          127.0.0.1:7103  east/r2      21  33.33%  4 → 3      0  same  #2    incarn-n3",
        "n4    joining        127.0.0.1:7104  east/r2      42       0  0 → 3      0  same  #2    incarn-n4",
        "n2 is silent: cannot reach 127.0.0.1:7102: Connection refused",
        f"the 3 of 4 that answer agree on ring {RING}",
    ]


def test_rings_that_differ(cluster: FakeCluster) -> None:
    """Who knows which one."""
    cluster.reports["n3"] = replace(cluster.reports["n3"], ring="other")
    *rows, last = said("status")
    assert last == f"the rings differ: n1 n2 n4: {RING}; n3: other"
    assert [" other " in row for row in rows[1:]] == [False, False, True, False]


def test_all_agree(cluster: FakeCluster) -> None:
    """Those who have left are not asked for their opinion."""
    cluster.silent.remove("n5")
    cluster.reports["n5"] = replace(report("n5"), ring="old")
    assert said("status")[-1] == f"all 4 agree on ring {RING}"


def test_somebody_else_answers_there(cluster: FakeCluster) -> None:
    """An address that has been given to another node does not speak for the first."""
    cluster.reports["n4"] = replace(report("n4"), life=replace(report("n4").life, node="n9"))
    n1, n2, n3, *others = cluster.ring.members
    cluster.ring = replace(cluster.ring, members=(n1, n2, replace(n3, address=""), *others))
    lines = said("status")
    assert "n3 is silent: n1 does not know where it is" in lines
    assert "n4 is silent: the node at 127.0.0.1:7104 is n9" in lines


def test_ring(cluster: FakeCluster) -> None:
    """Members, moves, changes; one who has left is still told of."""
    assert said("ring") == [
        f"ring {RING}, as n1 knows it",
        "strategy 3, 4 partitions, N=3",
        "node  state    address         place    capacity  tokens   share  seats  after",
        "n1    valid    127.0.0.1:7101  east/r1         1      21  33.33%      4      3",
        "n2    valid    127.0.0.1:7102  east/r1         1      21  33.33%      4      3",
        "n3    valid    127.0.0.1:7103  east/r2         1      21  33.33%      4      3",
        "n4    joining  127.0.0.1:7104  east/r2         2      42       0      0      3",
        "n5    left     127.0.0.1:7105  –               1       0       0      0      0",
        "giver  taker  partitions",
        "n3     n4     1",
        "1 switch due now; a partition's next one follows when it is done",
        "time                  by  change",
        "2026-11-22 17:17:53Z  n1  join n4 at 127.0.0.1:7104",
        "–                     n2  up n2",
    ]


def test_transfers(cluster: FakeCluster) -> None:
    """As the givers tell them, also one that has left and is still there."""
    cluster.silent.remove("n5")
    given = replace(report("n3").transfers[0], move=replace(MOVE, giver="n5"), state="done", sent=1200)
    cluster.reports["n5"] = replace(report("n5"), transfers=(given,))
    assert said("transfers") == [
        "giver  taker  partition  state     keys   sent",
        "n3     n4     1          sending  1 200    300",
        "n5     n4     1          done     1 200  1 200",
        "1 sending, 1 done; 1 switch still due",
    ]


def test_hints(cluster: FakeCluster) -> None:
    """By holder and target."""
    assert said("hints") == ["holder  target  hints", "n1      n2          2", "n1      n4          7", "9 hints held"]


def test_anti_entropy(cluster: FakeCluster) -> None:
    """Counters by node; slices, percentiles and their limits; what was not measured has no percentile."""
    lines = said("anti-entropy")
    assert lines[1] == "exchanges      12  12  12  12"
    assert lines[4].split() == [
        *("n1", "16.0", "8.2", "3", "7.5", "ms", "50", "ms", "–", "50", "ms"),
    ]
    assert lines[-1] == "slices granted: handoff 20, 4 waiting"


def test_locate(cluster: FakeCluster) -> None:
    """Position and range have the same scale; who sits there, who is to, who stands in."""
    assert said("locate", "hello") == [
        f"'hello' lies at 2ea0a0155e25953b, on ring {RING}",
        "partition    1 of 4: [2000000000000000, 4000000000000000)",
        "kept by      n1 n2 n3",
        "to be        n1 n4 n2",
        "fallbacks    n4",
    ]


def test_tables_fit_into_80_columns() -> None:
    """With long addresses and places, no line is wider, and no node is missing."""
    far = tuple(replace(each, address=f"node-{each.member.node}.storage.example.net:7101") for each in ring().members)
    survey = Survey(replace(ring(), members=far), {name: report(name) for name in NODES}, {})
    for drawn in (
        admin_tables.status(survey, 80),
        admin_tables.ring(survey.ring),
        admin_tables.transfers(survey),
        admin_tables.hints(survey),
        admin_tables.anti_entropy(survey),
    ):
        console = Console(width=80, record=True, file=None, highlight=False)
        with console.capture() as captured:
            for part in drawn:
                console.print(part)
        lines = captured.get().splitlines()
        assert max(len(line.rstrip()) for line in lines) <= 80
        assert not any("…" in line for line in lines), "nothing is cut off"


@pytest.mark.parametrize("command", ["status", "transfers", "hints", "anti-entropy"])
def test_a_survey_as_json(cluster: FakeCluster, command: str) -> None:
    """Reports with the names of their fields, by node, and nothing beside them."""
    cluster.silent.append("n2")
    told = json.loads("\n".join(said(command, "--json")))
    assert list(told["nodes"]) == ["n1", "n3", "n4"]
    assert told["nodes"]["n1"]["hints"] == {"n4": 7, "n2": 2}
    assert told["nodes"]["n3"]["transfers"][0]["move"]["taker"] == "n4"
    assert told["ring"]["members"][3]["member"]["capacity"] == 2
    assert told["silent"] == {"n2": "cannot reach 127.0.0.1:7102: Connection refused"}


# --- ordering --------------------------------------------------------------------------------------------------------


def test_stage_plan_commit(cluster: FakeCluster) -> None:
    """Three steps; the second shows what the third needs."""
    assert said("join", "n4", address("n4"), "--capacity", "2", "--rack", "r2") == [
        "staged: join n4",
        "look at it with  keelhaul admin plan --at 127.0.0.1:7101",
    ]
    (stage,) = cluster.asked
    assert stage == Stage(stage.request, "join", "n4", Member("n4", 2, "", "r2"), address("n4"))
    assert said("plan") == [
        "staged: join n4",
        "node  tokens  after  seats  after",
        "n1        21     16     64     48",
        "n4         0     16      0     48",
        "giver  taker  seats",
        "n1     n4        16",
        "16 seats to move",
        "warning: n3 is to give seats and does not answer; they wait for it, or for `down n3`",
        "commit it with  keelhaul admin commit --plan t0ken --at 127.0.0.1:7101",
    ]
    assert said("commit", "--plan", "t0ken") == [
        "committed: join n4 at 127.0.0.1:7104",
        f"the ring is {RING} now",
    ]
    assert said("plan") == ["nothing is staged"]


@pytest.mark.parametrize(
    ("arguments", "stage"),
    [
        (("leave", "n2"), Stage("", "leave", "n2")),
        (("down", "n2"), Stage("", "down", "n2")),
        (
            ("join", "n4", "h:1", "--dc", "d", "--host", "m"),
            Stage("", "join", "n4", Member("n4", 1, "m", "", "d"), "h:1"),
        ),
        (("replace", "n2", "n4", "h:1"), Stage("", "replace", "n2", Member("n4"), "h:1")),
    ],
)
def test_an_order_in_one_go(cluster: FakeCluster, arguments: tuple[str, ...], stage: Stage) -> None:
    """Staged, shown and committed."""
    lines = said(*arguments, "--commit")
    assert lines[0] == f"staged: {stage.operation} {stage.node}"
    assert lines[-1] == f"the ring is {RING} now"
    staged = next(message for message in cluster.asked if isinstance(message, Stage))
    assert replace(staged, request="") == stage
    assert not cluster.staged


def test_an_order_in_one_go_touches_nobody_elses(cluster: FakeCluster) -> None:
    """What somebody else has staged is neither committed nor forgotten."""
    cluster.staged = ["leave n1"]
    refused = keelhaul("join", "n4", address("n4"), "--commit")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == ("keelhaul: other orders are staged there: leave n1; commit the plan, or clear it first\n")
    assert cluster.staged == ["leave n1"]


def test_an_order_that_is_refused_in_one_go_leaves_nothing_staged(cluster: FakeCluster) -> None:
    """The ring may have changed between the plan and its commit."""
    cluster.refuse_commit = "the ring has changed"
    refused = keelhaul("leave", "n2", "--commit")
    assert (refused.exit_code, refused.stderr) == (1, "keelhaul: the ring has changed\n")
    assert not cluster.staged


def test_clear(cluster: FakeCluster) -> None:
    """Everything that is staged there."""
    cluster.staged = ["leave n1", "leave n2"]
    assert said("clear") == ["nothing is staged"]
    assert not cluster.staged


def test_orders_as_json(cluster: FakeCluster) -> None:
    """The same reports as those of the node."""
    assert json.loads("\n".join(said("leave", "n2", "--json"))) == {"orders": ["leave n2"]}
    plan = json.loads("\n".join(said("plan", "--json")))
    assert (plan["token"], plan["transfers"]) == ("t0ken", [{"giver": "n1", "taker": "n4", "seats": 16}])
    assert set(plan) == set(Plan.__struct_fields__)
    assert json.loads("\n".join(said("commit", "--plan", "t0ken", "--json")))["ring"] == RING
    both = json.loads("\n".join(said("leave", "n2", "--commit", "--json")))
    assert (both["plan"]["orders"], both["done"]["ring"]) == (["leave n2"], RING)


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("status", "--at", "127.0.0.1:1"), 69, "cannot reach 127.0.0.1:1: Connection refused"),
        (("commit", "--plan", "other"), 1, "plan other is not what is staged now"),
        (
            ("commit",),
            64,
            "--plan is missing; `keelhaul admin plan` shows what would be done, and the token to commit it",
        ),
        (
            ("status", "--at", "n1"),
            64,
            "--at: 'n1' is no address: give host:port, such as 127.0.0.1:7101 or [::1]:7101",
        ),
        (("join", "n4", "h:0"), 64, "'h:0' cannot be dialled: give host:port, such as 127.0.0.1:7101"),
        (("join", "n4"), 64, "Missing argument 'ADDRESS'."),
        (
            ("join", "n4", "h:1", "--capacity", "0"),
            64,
            "Invalid value for '--capacity': 0 is not in the range 1<=x<=1024.",
        ),
        (("sink",), 64, "No such command 'sink'."),
    ],
)
def test_what_goes_wrong_is_one_line(
    cluster: FakeCluster,
    arguments: tuple[str, ...],
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With an exit code that says whose fault it is: 1 the node refused, 64 the asker's, 69 nobody is there."""
    monkeypatch.setattr("sys.argv", ["keelhaul", "admin", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr()
    assert (end.value.code, told.err, told.out) == (code, f"keelhaul: {line}\n", "")


def test_where_to_ask_may_come_from_the_environment(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given outranks it."""
    monkeypatch.setenv("KEELHAUL_AT", "127.0.0.1:1")
    assert keelhaul("hints").exit_code == 69
    assert keelhaul("hints", "--at", address("n2")).exit_code == 0
