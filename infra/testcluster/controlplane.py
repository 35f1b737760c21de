"""Configuration and command lines of etcd, API server, controller manager and scheduler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.testcluster.settings import ADMINISTRATORS, WORKER, Settings

# Detect a lost node within the time limits of tests; the defaults are 40 s and 300 s.
NODE_GRACE_SECONDS = 8
LOST_NODE_TOLERATION_SECONDS = 5


def write_configuration(settings: Settings) -> None:
    """Write the configuration of the control plane to the state folder."""
    _write_tokens(settings)
    for user in (*ADMINISTRATORS, WORKER):
        _write_json(settings.kubeconfig(user), _kubeconfig(settings, user))
    _write_json(settings.folder / "audit-policy.json", _audit_policy())
    _write_json(settings.folder / "scheduler.json", _scheduler_configuration(settings))


def etcd(settings: Settings) -> list[str]:
    """Return the command of etcd, without fsync, because data need not survive a crash of the machine."""
    client = f"http://127.0.0.1:{settings.ports['etcd']}"
    peer = f"http://127.0.0.1:{settings.ports['etcd-peer']}"
    return [
        str(settings.programs / "etcd"),
        "--name=testcluster",
        f"--data-dir={settings.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=testcluster={peer}",
        "--unsafe-no-fsync",
        f"--quota-backend-bytes={8 << 30}",
        "--log-level=warn",
    ]


def api_server(settings: Settings) -> list[str]:
    """Return the command of the API server."""
    pki = settings.ca_file.parent
    return [
        str(settings.programs / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{settings.ports['etcd']}",
        # The address of the service `kubernetes` itself, on the bridge: in-cluster clients work without a kube-proxy.
        f"--bind-address={settings.service_ip}",
        f"--advertise-address={settings.service_ip}",
        "--secure-port=443",
        f"--service-cluster-ip-range={settings.service_cidr}",
        f"--tls-cert-file={pki / 'server.crt'}",
        f"--tls-private-key-file={pki / 'server.key'}",
        f"--kubelet-certificate-authority={settings.ca_file}",
        f"--kubelet-client-certificate={pki / 'server.crt'}",
        f"--kubelet-client-key={pki / 'server.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--token-auth-file={settings.folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki / 'tokens.key'}",
        f"--service-account-signing-key-file={pki / 'tokens.key'}",
        f"--default-not-ready-toleration-seconds={LOST_NODE_TOLERATION_SECONDS}",
        f"--default-unreachable-toleration-seconds={LOST_NODE_TOLERATION_SECONDS}",
        f"--audit-policy-file={settings.folder / 'audit-policy.json'}",
        f"--audit-log-path={settings.audit_log}",
        "--audit-log-mode=batch",
        "--audit-log-batch-max-wait=200ms",
        "--audit-log-batch-max-size=400",
        "--audit-log-batch-buffer-size=200000",
        "--audit-log-batch-throttle-enable=false",
        "--audit-log-maxsize=10000",
        # Do not wait a minute for open requests after a crash.
        "--shutdown-delay-duration=0s",
    ]


def controller_manager(settings: Settings) -> list[str]:
    """Return the command of the controller manager."""
    return [
        str(settings.programs / "kube-controller-manager"),
        f"--kubeconfig={settings.kubeconfig('kube-controller-manager')}",
        "--secure-port=0",
        "--leader-elect=false",
        f"--root-ca-file={settings.ca_file}",
        f"--service-account-private-key-file={settings.ca_file.parent / 'tokens.key'}",
        "--node-monitor-period=1s",
        f"--node-monitor-grace-period={NODE_GRACE_SECONDS}s",
        "--node-eviction-rate=10",
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
    ]


def scheduler(settings: Settings) -> list[str]:
    """Return the command of the scheduler."""
    return [
        str(settings.programs / "kube-scheduler"),
        f"--config={settings.folder / 'scheduler.json'}",
        "--secure-port=0",
    ]


def _write_tokens(settings: Settings) -> None:
    lines = [f'{settings.tokens[name]},{name},{name},"system:masters"\n' for name in ADMINISTRATORS]
    lines.append(f"{settings.tokens[WORKER]},{WORKER},{WORKER}\n")
    path = settings.folder / "tokens.csv"
    path.touch(mode=0o600)
    path.write_text("".join(lines))


def _kubeconfig(settings: Settings, current: str) -> dict[str, Any]:
    """Return a kubeconfig of one user; the administrator's also contains the worker's context."""
    users = ["admin", WORKER] if current == "admin" else [current]
    cluster = {"server": settings.server, "certificate-authority": str(settings.ca_file)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testcluster", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": settings.tokens[user]}} for user in users],
        "contexts": [{"name": user, "context": {"cluster": "testcluster", "user": user}} for user in users],
        "current-context": current,
    }


def _audit_policy() -> dict[str, Any]:
    """Return the audit policy: every completed request, except leases."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
            {"level": "Metadata"},
        ],
    }


def _scheduler_configuration(settings: Settings) -> dict[str, Any]:
    """Return the scheduler's configuration with a higher rate than the default of 50 pods per second."""
    client = {"kubeconfig": str(settings.kubeconfig("kube-scheduler")), "qps": 1000, "burst": 2000}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": client,
    }


def _write_json(path: Path, value: dict[str, Any]) -> None:
    # JSON is YAML, so every part of Kubernetes reads it. Owner-only permissions, because kubeconfigs contain tokens.
    path.touch(mode=0o600)
    path.write_text(json.dumps(value, indent=2))
