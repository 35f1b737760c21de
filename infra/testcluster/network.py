"""The bridge that pods hang on: the only thing of a cluster that the whole machine can see."""

from __future__ import annotations

import json
from pathlib import Path

from infra.testcluster import machine
from infra.testcluster.errors import Unavailable
from infra.testcluster.settings import Settings

CLUSTERS = 32


def add_bridge() -> int:
    """Makes a bridge of a name that is free, and returns the number in its name. The kernel decides between two at once."""
    for index in range(CLUSTERS):
        # An address of its own: without one, the bridge's address changes as pods come and go, and connections stall.
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
    """Gives the bridge its two addresses: the node's, and the API server's; and says whose it is."""
    machine.run("ip", "link", "set", settings.bridge, "alias", _alias(settings))
    machine.run("ip", "address", "add", f"{settings.bridge_ip}/24", "dev", settings.bridge)
    machine.run("ip", "address", "add", f"{settings.service_ip}/32", "dev", settings.bridge)
    machine.run("ip", "link", "set", settings.bridge, "up")


def owns_bridge(settings: Settings) -> bool:
    """Whether the bridge (and so the number in all names) is this cluster's: after a reboot another one may have taken it."""
    path = Path(f"/sys/class/net/{settings.bridge}/ifalias")
    return path.exists() and path.read_text().strip() == _alias(settings)


def _alias(settings: Settings) -> str:
    # The kernel takes 255 characters.
    return str(settings.folder)[-250:]


def remove_bridge(bridge: str) -> None:
    """Removes a bridge, if it is there."""
    if Path(f"/sys/class/net/{bridge}").exists():
        machine.run("ip", "link", "delete", bridge)


def write_cni_configuration(settings: Settings) -> None:
    """Pods get an address on the bridge and a way to it, and to nowhere else: nothing forwards or masquerades."""
    folder = settings.folder / "cni"
    folder.mkdir()
    ranges = [[{"subnet": settings.pod_cidr, "gateway": settings.bridge_ip}]]
    bridge = {
        "type": "bridge",
        "bridge": settings.bridge,
        # The bridge has its address already; as a gateway the plug-in would turn on forwarding for the whole machine.
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
    """The CNI library notes each pod's networks in a folder of the machine; those of this cluster's pods go."""
    results = Path("/var/lib/cni/results")
    prefix = f"{settings.name}-"
    for path in results.glob(f"{prefix}*-eth0"):
        pod = path.name.removeprefix(prefix).removesuffix("-eth0")
        path.unlink(missing_ok=True)
        (results / f"cni-loopback-{pod}-lo").unlink(missing_ok=True)
