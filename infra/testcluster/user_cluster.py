"""A user's own cluster instead of the test cluster: the same tests, without the faults that only its owner can cause."""

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
    """A bucket that both the tests and the cluster's pods reach, where `S3Server` cannot be had."""

    bucket: str
    environment: dict[str, str] = field(repr=False)
    """The variables that name it and its credentials; pods are given them, too."""


def user_bucket() -> UserBucket:
    """The bucket that FLYTEMP_TEST_STORE names, ``s3://bucket`` or a folder in it, with the AWS variables of this process.

    Raises Unavailable when it names none.
    """
    named = os.environ.get(STORE_VARIABLE, "")
    if not named.startswith("s3://"):
        told = f"pods of the cluster that {VARIABLE} names can't reach servers of this machine"
        raise Unavailable(f"{told}; set {STORE_VARIABLE} to s3://… and the AWS variables that its users need")
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return UserBucket(named.removeprefix("s3://").rstrip("/"), environment)


def user_cluster() -> KubernetesAccess | None:
    """The cluster that FLYTEMP_TEST_KUBECONFIG names, with its current context; None when it names none.

    Raises Unavailable when it can't be used.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    kubeconfig = Path(named).expanduser().resolve()
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise Unavailable(f"{VARIABLE} is set, and there is no kubectl")
    # Kubernetes' own client knows every way to log in: certificates, tokens, programs that fetch one.
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
