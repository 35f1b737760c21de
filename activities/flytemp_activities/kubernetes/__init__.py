"""Tasks as Kubernetes pods. Read `backend`, then `podtry`: one try from its creation to its result.

`api` alone talks to the API server; `watch` hears of all pods, `creation` makes one, `classify` says what its status means,
`manifest` what it is made of (with `policy`, `resources`, `merge` and `secrets`), `tidying` what becomes of it.
"""

from flytemp_activities.kubernetes.backend import KubernetesBackend, KubernetesOptions
from flytemp_activities.kubernetes.janitor import Janitor
from flytemp_activities.kubernetes.policy import Policy, read_policy

__all__ = ["Janitor", "KubernetesBackend", "KubernetesOptions", "Policy", "read_policy"]
