from chaoslib.exceptions import InterruptExecution, ActivityFailed
from chaoslib.types import Activity


def before_activity_control(context: Activity, **kwargs):
    if context["name"] == "never":
        raise InterruptExecution("stopped by a control")
