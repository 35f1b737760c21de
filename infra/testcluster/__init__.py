"""Kubernetes cluster of the tests: a real API server, one real node that runs containers, and simulated nodes of kwok."""

from infra.testcluster.access import KubernetesAccess
from infra.testcluster.cluster import Cluster
from infra.testcluster.errors import ClusterError, Unavailable
from infra.testcluster.s3 import S3Server

__all__ = ["Cluster", "ClusterError", "KubernetesAccess", "S3Server", "Unavailable"]
