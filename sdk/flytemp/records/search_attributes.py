"""The names of flytemp's search attributes. A SQL visibility store has room for few (10 keywords, 3 lists)."""

PROJECT = "FlytempProject"
DOMAIN = "FlytempDomain"
WORKFLOW = "FlytempWorkflow"
VERSION = "FlytempVersion"
LAUNCH_PLAN = "FlytempLaunchPlan"
LABELS = "FlytempLabels"

KEYWORDS = (PROJECT, DOMAIN, WORKFLOW, VERSION, LAUNCH_PLAN)
KEYWORD_LISTS = (LABELS,)
