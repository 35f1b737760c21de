"""Kubernetes backend: tasks as pods. Read `backend`, then `pod_attempt`: one try from its creation to its result.

Only `api` sends requests to the API server. `watch` receives the events of pods, `creation` creates a pod, `classify` maps its
status to phases and outcomes, and `cleanup` deletes it. `manifest` builds a pod with `policy`, `resources`, `merge` and
`secrets`.
"""

from flytemp_activities.kubernetes.backend import KubernetesBackend, KubernetesOptions
from flytemp_activities.kubernetes.janitor import Janitor
from flytemp_activities.kubernetes.policy import Policy, read_policy

__all__ = ["Janitor", "KubernetesBackend", "KubernetesOptions", "Policy", "read_policy"]
