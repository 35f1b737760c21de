"""Network bridge of the pods."""

from __future__ import annotations

import json
from pathlib import Path

from infra.testcluster import machine
from infra.testcluster.errors import Unavailable
from infra.testcluster.settings import Settings

CLUSTERS = 32


def add_bridge() -> int:
    """Create a bridge with a free name and return the number in its name. The kernel serializes concurrent calls."""
    for index in range(CLUSTERS):
        # A fixed hardware address; otherwise the bridge's address changes with its pods and connections stall.
        address = f"02:f1:7e:00:00:{index:02x}"
        command = ("ip", "link", "add", f"cni{index}", "address", address, "type", "bridge")
        try:
            machine.run(*command)
        except Unavailable as error:
            if "exists" not in str(error):
                raise
        else:
            return index
    raise Unavailable(f"all bridges cni0 to cni{CLUSTERS - 1} exist already")


def bring_up(settings: Settings) -> None:
    """Assign the addresses of the node and the API server to the bridge, and mark it with its cluster."""
    machine.run("ip", "link", "set", settings.bridge, "alias", _alias(settings))
    machine.run("ip", "address", "add", f"{settings.bridge_ip}/24", "dev", settings.bridge)
    machine.run("ip", "address", "add", f"{settings.service_ip}/32", "dev", settings.bridge)
    machine.run("ip", "link", "set", settings.bridge, "up")


def owns_bridge(settings: Settings) -> bool:
    """Return whether the bridge (and its number) belongs to this cluster; after a reboot another cluster may have it."""
    path = Path(f"/sys/class/net/{settings.bridge}/ifalias")
    return path.exists() and path.read_text().strip() == _alias(settings)


def _alias(settings: Settings) -> str:
    # The kernel's limit is 255 characters.
    return str(settings.folder)[-250:]


def remove_bridge(bridge: str) -> None:
    """Remove a bridge if it exists."""
    if Path(f"/sys/class/net/{bridge}").exists():
        machine.run("ip", "link", "delete", bridge)


def write_cni_configuration(settings: Settings) -> None:
    """Write the CNI configuration: pods have an address on the bridge and no route to other networks."""
    folder = settings.folder / "cni"
    folder.mkdir()
    ranges = [[{"subnet": settings.pod_cidr, "gateway": settings.bridge_ip}]]
    bridge = {
        "type": "bridge",
        "bridge": settings.bridge,
        # The bridge has its address already; as a gateway, the plug-in would enable forwarding on the machine.
        "isGateway": False,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": str(settings.folder / "addresses"),
            "ranges": ranges,
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    (folder / "10-bridge.conflist").write_text(json.dumps({"cniVersion": "1.0.0", "name": settings.name, "plugins": [bridge]}))


def remove_cni_results(settings: Settings) -> None:
    """Remove the records of this cluster's pods that the CNI library keeps in a folder of the machine."""
    results = Path("/var/lib/cni/results")
    prefix = f"{settings.name}-"
    for path in results.glob(f"{prefix}*-eth0"):
        pod = path.name.removeprefix(prefix).removesuffix("-eth0")
        path.unlink(missing_ok=True)
        (results / f"cni-loopback-{pod}-lo").unlink(missing_ok=True)
