"""A user's cluster in place of the test cluster, for tests that cause no faults."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from infra.testcluster.access import KubernetesAccess
from infra.testcluster.api import Api
from infra.testcluster.errors import Unavailable

VARIABLE = "FLYTEMP_TEST_KUBECONFIG"
STORE_VARIABLE = "FLYTEMP_TEST_STORE"


@dataclass(frozen=True)
class UserBucket:
    """Bucket that the tests and the cluster's pods can access, in place of `S3Server`."""

    bucket: str
    environment: dict[str, str] = field(repr=False)
    """Environment variables with the address and credentials, also for pods."""


def user_bucket() -> UserBucket:
    """Return the bucket of FLYTEMP_TEST_STORE (``s3://bucket`` or a folder in it) with this process's AWS variables.

    Raises Unavailable when it names none.
    """
    named = os.environ.get(STORE_VARIABLE, "")
    if not named.startswith("s3://"):
        told = f"pods of the cluster that {VARIABLE} names can't reach servers of this machine"
        raise Unavailable(f"{told}; set {STORE_VARIABLE} to s3://… and the AWS variables that its users need")
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return UserBucket(named.removeprefix("s3://").rstrip("/"), environment)


def user_cluster() -> KubernetesAccess | None:
    """Return the cluster of FLYTEMP_TEST_KUBECONFIG with its current context, or None.

    Raises Unavailable when it can't be used.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    kubeconfig = Path(named).expanduser().resolve()
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise Unavailable(f"{VARIABLE} is set, and there is no kubectl")
    # The Kubernetes client supports all login methods: certificates, tokens, and exec plug-ins.
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        config.load_kube_config(config_file=str(kubeconfig), client_configuration=settings)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        raise Unavailable(f"{VARIABLE} can't be used: {error}") from error
    # The key's name depends on the client's version.
    keys = [settings.api_key[name] for name in ("BearerToken", "authorization") if name in settings.api_key]
    token = str(keys[0]).removeprefix("Bearer ") if keys else ""
    certificate = (Path(settings.cert_file), Path(settings.key_file)) if settings.cert_file and settings.key_file else None
    ca_file = Path(settings.ssl_ca_cert) if settings.ssl_ca_cert else None
    api = Api(settings.host, token, ca_file, certificate=certificate)
    return KubernetesAccess(kubeconfig, api, kubectl=kubectl, token=token, ca_file=ca_file)
