"""The project's own Kubernetes for its tests: a real API server, a real node that runs containers, and nodes of kwok."""

from infra.testcluster.access import KubernetesAccess
from infra.testcluster.cluster import Cluster
from infra.testcluster.errors import ClusterError, Unavailable
from infra.testcluster.s3 import S3Server

__all__ = ["Cluster", "ClusterError", "KubernetesAccess", "S3Server", "Unavailable"]
