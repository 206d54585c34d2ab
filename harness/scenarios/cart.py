"""The paper's shopping cart, while the network is cut, nodes die and disks are lost."""

from __future__ import annotations

from harness.scenarios import Scenario

SCENARIOS = {
    "cart-calm": Scenario("carts without any fault", workload="cart"),
    "cart-partition": Scenario("carts filled on both sides of a cut", ("partition-halves",), "cart"),
    "cart-kill": Scenario("carts while a node is killed and started again", ("kill",), "cart"),
    "cart-partition-kill": Scenario("carts while a node dies beside a cut", ("kill", "partition-halves"), "cart"),
    "cart-wipe": Scenario("carts while a node comes back with an empty disk", ("wipe",), "cart"),
}
