"""Pod Security Standards of Kubernetes: the levels ``baseline`` and ``restricted``.

The rules are those of https://kubernetes.io/docs/concepts/security/pod-security-standards/ for Linux pods. Host access and volume
types are parts of the standards that the policy can also allow one by one; `flytemp.pods.rules` checks those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from flytemp.pods.containers import PodJson, all_containers

Level = Literal["restricted", "baseline", "privileged"]

RESTRICTED_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
"""Types of volumes that the level ``restricted`` permits."""

BASELINE_CAPABILITIES = frozenset(
    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
     "SETPCAP", "SETUID", "SYS_CHROOT"}
)  # fmt: skip
SAFE_SYSCTLS = frozenset(
    {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
     "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
     "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
)  # fmt: skip
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")


def standard_violations(annotations: Mapping[str, str], spec: PodJson, level: Level) -> Iterator[str]:
    """Yield each violation of a level of the Pod Security Standards, apart from volume types and host access.

    Args:
        annotations: annotations of the pod.
        spec: spec of the pod, with the default security context in each container.
        level: level to check; ``privileged`` permits everything.
    """
    if level == "privileged":
        return
    pod_context = _context(spec)
    yield from _baseline_of_pod(annotations, pod_context)
    for container in all_containers(spec):
        for violation in _baseline_of_container(container):
            yield f"container {container.get('name')!r}: {violation}"
    if level == "restricted":
        yield from _restricted_user("the pod", pod_context)
        for container in all_containers(spec):
            for violation in _restricted_container(_context(container), pod_context):
                yield f"container {container.get('name')!r}: {violation}"


def permits_volume(level: Level, kind: str) -> bool:
    """Return whether a level permits a type of volumes, such as ``emptyDir``."""
    return level == "privileged" or kind in RESTRICTED_VOLUMES or (level == "baseline" and kind != "hostPath")


def _context(part: Mapping[str, Any]) -> PodJson:
    found: PodJson = part.get("securityContext") or {}
    return found


# ------------------------------------------------------------------------------------------ baseline


def _baseline_of_pod(annotations: Mapping[str, str], context: PodJson) -> Iterator[str]:
    for name, profile in annotations.items():
        is_safe = profile in ("", "runtime/default") or profile.startswith("localhost/")
        if name.startswith(_APPARMOR_ANNOTATION) and not is_safe:
            yield f"the annotation {name} must not be {profile!r}"
    for sysctl in context.get("sysctls") or ():
        if sysctl.get("name") not in SAFE_SYSCTLS:
            yield f"the sysctl {sysctl.get('name')!r} is not a safe one"
    for violation in _baseline_context(context):
        yield f"the pod: {violation}"


def _baseline_of_container(container: PodJson) -> Iterator[str]:
    context = _context(container)
    yield from _baseline_context(context)
    if context.get("privileged"):
        yield "securityContext.privileged must not be true"
    added = (context.get("capabilities") or {}).get("add") or ()
    if wrong := sorted(str(name) for name in added if str(name).removeprefix("CAP_") not in BASELINE_CAPABILITIES):
        yield f"securityContext.capabilities.add must not have {', '.join(wrong)}"
    if context.get("procMount") not in (None, "", "Default"):
        yield "securityContext.procMount must be Default"
    yield from _handler_hosts(container)


def _baseline_context(context: PodJson) -> Iterator[str]:
    """Yield the violations of a security context, of the pod or of a container."""
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "securityContext.windowsOptions.hostProcess must not be true"
    if (context.get("appArmorProfile") or {}).get("type") not in (None, "", "RuntimeDefault", "Localhost"):
        yield "securityContext.appArmorProfile.type must be RuntimeDefault or Localhost"
    if (context.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield "securityContext.seccompProfile.type must be RuntimeDefault or Localhost"
    selinux = context.get("seLinuxOptions") or {}
    if (selinux.get("type") or "") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield "securityContext.seLinuxOptions must have a container type, and no user and no role"


def _handler_hosts(container: PodJson) -> Iterator[str]:
    """Yield the probes and hooks that make the Kubernetes node connect to another host."""
    hooks = container.get("lifecycle") or {}
    handlers = {name: container.get(name) or {} for name in _PROBES}
    handlers |= {f"lifecycle.{name}": hooks.get(name) or {} for name in _HOOKS}
    for name, handler in handlers.items():
        if any((handler.get(kind) or {}).get("host") for kind in ("httpGet", "tcpSocket")):
            yield f"{name} must not name a host"


# ---------------------------------------------------------------------------------------- restricted


def _restricted_container(context: PodJson, pod_context: PodJson) -> Iterator[str]:
    yield from _restricted_user("it", context)
    if context.get("runAsNonRoot", pod_context.get("runAsNonRoot")) is not True:
        yield "securityContext.runAsNonRoot must be true"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "securityContext.allowPrivilegeEscalation must be false"
    profile = context.get("seccompProfile") or pod_context.get("seccompProfile") or {}
    if profile.get("type") not in ("RuntimeDefault", "Localhost"):
        yield "securityContext.seccompProfile.type must be RuntimeDefault or Localhost"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "securityContext.capabilities.drop must have ALL"
    if more := sorted(str(name) for name in capabilities.get("add") or () if name != "NET_BIND_SERVICE"):
        yield f"securityContext.capabilities.add must not have {', '.join(more)}"


def _restricted_user(owner: str, context: PodJson) -> Iterator[str]:
    if context.get("runAsUser") == 0:
        yield f"{owner} must not run as user 0 (securityContext.runAsUser)"
