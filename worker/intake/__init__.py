"""Reading what hospitals send: JSON, NDJSON, CloudEvents and FHIR R4; X12 837 in `x12`.

`documents` recognizes a file by its content, `events` decodes what is on the inbox, `dropfolder` watches a folder.
"""
