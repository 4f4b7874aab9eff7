"""Is this installation fit to run skills? Checks of engine, kernel, host and set-up, and a live probe of each level.

from orchestrator.doctor import examine_installation
report = examine_installation(settings)
report.fit, report.results
"""

from orchestrator.doctor.examination import examine_installation
from orchestrator.doctor.model import Outcome, Report, Result, Severity

__all__ = ["Outcome", "Report", "Result", "Severity", "examine_installation"]
