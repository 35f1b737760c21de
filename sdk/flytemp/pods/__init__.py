"""Rules for pods: the form of a pod spec, the Pod Security Standards, and the operator's allow and deny lists.

Registration and the workers use the same rules. Pods are JSON objects here; `flytemp_activities.kubernetes` creates them.
"""
