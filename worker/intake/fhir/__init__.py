"""Reading FHIR R4: the Claims among the resources of a Bundle or of a line, and what else is there.

`fields` says which element each field of a claim comes from: its tables are what runs.
"""

from worker.intake.fhir.bundles import BundleEntry, read_entries, read_fhir, with_source
from worker.intake.fhir.node import Targets

__all__ = ["BundleEntry", "Targets", "read_entries", "read_fhir", "with_source"]
