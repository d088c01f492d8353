"""Reading what hospitals send: JSON, NDJSON, CloudEvents and FHIR R4."""
