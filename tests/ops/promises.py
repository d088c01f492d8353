"""Which test holds each promise of ops/security.md: by the beginning of a row, item or paragraph, its words and the tests.

Words that only say what there is, or what is left, promise nothing and have no test. A security page drifts away from
its product where nobody compares the two line by line (OWASP ASVS asks for that in 1.1, NIST SP 800-53A for each control).
"""

from __future__ import annotations

from collections.abc import Mapping

ACCESS, PRODUCERS, STREAMS, PRESSURE = (
    f"integration/test_{name}.py" for name in ("access", "producers", "streams", "pressure")
)
ROTATION, PASSWORDS, RESTORE, BEHIND, CHAINS = (
    f"integration/test_{name}.py" for name in ("rotation", "password_rotation", "restore", "behind", "chains")
)
CANARY = "integration/test_canary.py::test_no_canary_leaves_its_cage"
SWELL, AUDIT, CONTAINER = "worker/test_swell.py", "worker/test_audit.py", "ops/test_container.py"
FILING = "filing"
CERTIFICATE = "integration/test_certificate.py"
PAGES, SIGN_IN = "serve/pages/test_served.py", "serve/pages/test_signin.py"
WEBHOOK = "serve/test_webhook.py"
TOKENS, HTTP_CLAIMS, HTTP_CASES, HTTP_CHECKS, HTTP = (
    f"serve/test_{name}.py" for name in ("tokens", "claims", "cases", "checking", "answers")
)
WAIVING, REPAIRING, LATER = "desk/test_waiving.py", "desk/test_repairing.py", "filing/test_later.py"
PURGING, REBUILDING = "desk/test_purging.py", "desk/test_rebuilding.py"
KUBERNETES, IMAGES = "ops/test_kubernetes.py", "ops/test_images.py"

PROMISES: Mapping[str, Mapping[str, str]] = {
    # Where data goes.
    "producers' streams, inbox, inner stream, outlets": {
        "each outlet its consumer": f"{ACCESS}::test_a_consumer_reads_its_own_outlet_and_nothing_else",
        "a person as `operator`": f"{ACCESS}::test_an_operator_empties_the_quarantine_enters_history_and_switches_the_book",
        "after every group has acknowledged": f"{PRESSURE}::test_an_outlet_is_trimmed_only_behind_what_every_group_has_acknowledged",
        "`SCRUB_RETENTION` (7 days)": f"{PRESSURE}::test_an_outlet_keeps_what_is_younger_than_the_retention",
        "quarantine, and an outlet without a group: until taken out": f"{PRESSURE}::test_an_outlet_without_a_group_is_not_trimmed_and_quarantine_never",
    },
    "`exit:*`, `owner:*` (Redis)": {
        "until their files are written": f"{FILING}/test_files.py::test_a_file_comes_out_when_all_of_its_claims_are_decided",
    },
    "folder out of `scrub submit --out`": {
        "hidden: until written": f"{FILING}/test_files.py::test_a_file_comes_out_when_all_of_its_claims_are_decided",
        "for `SCRUB_EVENT_MEMORY` and a day": f"{LATER}::test_an_original_is_kept_for_as_long_as_its_claims_can_be_let_go",
        "hidden files 0600": f"{FILING}/test_files.py::test_what_is_hidden_is_the_accounts_own",
    },
    "append-only file of Redis": {},
    "event memory, patient ledger": {"hashed": CANARY, "the worker": f"{ACCESS}::test_the_monitor_cannot_ask_whether_a_ledger_or_an_event_is_there"},
    "fronts of cases (": {
        "of held claims 400 days": f"{WAIVING}::test_the_front_of_a_held_claim_outlives_the_event_memory_and_has_nothing_of_a_patient",
    },
    "counters, chains, rings": {"no |": CANARY, "sealed heads": f"{AUDIT}::test_the_head_in_redis_cannot_be_had_from_the_file"},
    "snapshots (": {
        "encrypted (AES-256-GCM, under a key made of an audit key)": f"{RESTORE}::test_nothing_of_it_can_be_read_and_all_of_it_comes_back",
        "who has the ring of audit keys": f"{RESTORE}::test_another_key_and_another_file_are_named_as_such",
        "the newest `SCRUB_SNAPSHOTS` (14)": f"{RESTORE}::test_only_the_newest_are_kept_and_all_are_ours_alone",
    },
    "Celery queue (Redis)": {"no |": CANARY},
    "audit files, Loki": {"pseudonymous": CANARY},
    "case store (": {
        "reasons of waivers": f"{WAIVING}::test_the_act_is_on_the_audit_log_without_its_reason_and_the_decision_names_the_waiver",
        "its audit lines have keyed digests of the notes": "desk/test_acting.py::test_its_text_is_in_no_audit_file_and_the_chain_verifies_to_its_head",
        "who has the account of the state folder": "desk/test_casestore.py::test_its_file_and_folder_are_their_owners_alone",
        "then until `scrub rework purge`": f"{PURGING}::test_what_is_done_and_old_leaves_and_nothing_else",
    },
    "The case store is searched by": {
        "file and folder are their owner's alone": "desk/test_casestore.py::test_its_file_and_folder_are_their_owners_alone",
    },
    "`scrub rework purge` takes out whole cases": {
        "with claims, reports, notes and reasons": f"{PURGING}::test_what_is_done_and_old_leaves_and_nothing_else",
        "In the files of SQLite nothing of them is left": f"{PURGING}::test_nothing_of_it_is_left_in_the_files",
        "What is purged does not come back": f"{PURGING}::test_it_does_not_come_back_from_the_outlets_or_the_log_but_with_a_new_version",
        "and what is preserved": f"{PURGING}::test_released_it_leaves_in_its_time",
    },
    "Who may see a case depends on its facility": {
        "over HTTP": f"{HTTP_CASES}::test_a_facility_sees_its_own_cases_alone_and_a_guess_is_in_the_audit_log",
        "in the browser": f"{PAGES}::test_facilities_are_apart",
    },
    "file of tokens (": {
        "SHA-256 of each token": f"{TOKENS}::test_a_token_is_shown_once_and_kept_as_a_hash_in_a_file_of_its_owner_alone",
        "who has the account of the state folder": f"{TOKENS}::test_a_file_of_tokens_that_others_may_read_lets_nobody_in",
    },
    "state of the webhook": {"of what was put aside the claim number and why": f"{WEBHOOK}::test_what_is_refused_comes_again_later_and_later_and_is_put_aside_in_the_end"},
    "certificates (`scrub certificate`)": {"no |": f"{CERTIFICATE}::test_nothing_of_a_patient_and_nothing_of_the_claim_is_in_it"},
    "operational log": {"counts, times, kinds of errors, file and line": "worker/test_logs.py::test_of_an_exception_only_type_and_place_are_kept", "no |": CANARY},
    "secret file, and": {},
    "Digests of claim content": {},
    "`claim.event` of an audit line": {"audit (": "integration/test_upgrade.py::test_the_mark_of_an_event_is_another_one_under_another_secret_and_no_hash_that_anyone_can_make"},
    "`claim.patient_hash`": {"patient |": "worker/test_keyring.py::test_keys_of_before_are_looked_for_as_long_as_a_ledger_may_be_under_them"},
    "event id that `scrub submit` makes": {"Their text leaves it out": "integration/test_upgrade.py::test_what_shows_an_event_shows_it_under_a_key"},
    "name of an event in the event memory": {},
    "value of the event memory": {"then audit, with the key's id": f"{ROTATION}::test_an_event_that_was_decided_under_a_key_of_before_is_known_again"},
    "12 digits of the same": {},
    "birth date, sex and first name": {"patient, with the key's id": "worker/test_keyring.py::test_who_a_patient_is_is_compared_under_the_key_of_the_entry"},
    "`claim.commitment` of an audit line": {"128 random bits of each decision": f"{CERTIFICATE}::test_two_decisions_on_the_same_claim_have_nothing_in_common_that_shows_it"},
    "name of a front": {"nothing else of the claim": f"{WAIVING}::test_the_front_of_a_held_claim_outlives_the_event_memory_and_has_nothing_of_a_patient"},
    "content of a waiver": {"until it is decided": f"{WAIVING}::test_a_waived_claim_goes_to_billing_with_its_findings_shown_as_waived"},
    "`claim.waiver` of an audit line": {"audit |": f"{WAIVING}::test_its_digest_is_another_one_under_another_key"},
    "partition of a claim": {"the first key of patient": "worker/test_keyring.py::test_a_patient_stays_on_its_partition_whatever_key_is_in_force"},
    "No digest of a claim is in": {
        "what a release remembers the next one must find": "integration/test_layouts.py::test_events_and_versions_of_before_are_known",
        "`report.html`": "report/test_page.py::test_no_claim_number_no_patient_hash_and_no_trace_is_on_it",
    },
    "A claim number (CLM01)": {},
    "`tests/integration/test_canary.py` sends": {"sends claims whose every field is a canary": CANARY},
    # Certificates.
    "`scrub certificate CLAIM --key PEM` says": {"signed with Ed25519": f"{CERTIFICATE}::test_openssl_verifies_it_as_well"},
    "**Who signs**": {
        "When the key changes, keep the public one of before in that file": f"{CERTIFICATE}::test_a_certificate_of_another_key_of_another_claim_or_of_a_changed_line_is_named_as_such",
    },
    "**What stands behind the signature**": {
        "the issuer's command compares the entry with its audit line": f"{CERTIFICATE}::test_why_there_is_none_is_said",
        "everybody else verifies signature, book and claim": f"{CERTIFICATE}::test_a_certificate_holds_after_a_book_switch_and_a_rotation_on_a_machine_without_redis",
    },
    "**What it reveals**": {"Not: claim number, persons, dates of service, codes, amounts": f"{CERTIFICATE}::test_nothing_of_a_patient_and_nothing_of_the_claim_is_in_it"},
    "**What must be kept**": {"the entry of billing (claim, report, salt)": f"{CERTIFICATE}::test_why_there_is_none_is_said"},
    "**What it does not say**": {},
    # What could go wrong.
    "Somebody on the network reads": {
        "`rediss://` with verification on": "integration/test_tls.py::test_a_server_with_a_strangers_certificate_is_refused",
        "networks of containers": f"{CONTAINER}::test_claims_pass_through_a_network_that_reaches_nothing_else",
        "and pods that reach nothing else": f"{KUBERNETES}::test_a_worker_is_reached_by_nobody_and_reaches_redis_and_names_alone",
        "`docker-compose.tls.yml` makes it TLS": f"{CONTAINER}::test_with_tls_it_changes_addresses_and_secrets_of_services_that_are_there",
    },
    "A registered producer's account": {
        "the alert ProducersWait": "ops/test_alerts.py::test_it_fires_when_it_should",
        "one ACL command shuts it out": f"{PRODUCERS}::test_one_command_shuts_a_producer_out_at_once",
    },
    "The account of those who share the inbox": {
        "it reads no claim and no verdict": f"{ACCESS}::test_a_producer_reads_neither_inbox_nor_outlet",
        "runs no script": f"{ACCESS}::test_a_script_gives_nobody_more",
        "writes no other key": f"{ACCESS}::test_nobody_but_the_worker_writes_an_outlet",
        "date its claims": f"{STREAMS}::test_on_the_inbox_an_id_ahead_of_the_clock_is_no_receipt_and_refuses_no_claim",
    },
    "A consumer's account is stolen": {"it sees one outlet and can acknowledge there": f"{ACCESS}::test_a_consumer_reads_its_own_outlet_and_nothing_else"},
    "The worker's account is stolen": {
        "no CONFIG, FLUSHALL, KEYS, ACL, MONITOR, SHUTDOWN": f"{ACCESS}::test_nobody_but_the_administrator_may_change_the_server_or_look_at_it_as_a_whole",
    },
    "Somebody sends or forges Celery": {
        "only the worker's user reaches those keys": f"{ACCESS}::test_nobody_but_the_worker_reaches_the_notifications",
        "what is no message is thrown away": "integration/test_stray_messages.py::test_no_stray_message_ends_a_worker_or_keeps_it_from_claims",
        "control commands that could leave a worker that decides nothing are switched off": "integration/test_remote_control.py::test_every_command_of_celery_is_known_to_be_harmless_or_is_switched_off",
        "a cancelled queue is taken up again": "integration/test_remote_control.py::test_a_cancelled_queue_is_consumed_from_again",
        "`shutdown` ends workers": "integration/test_remote_control.py::test_a_shutdown_ends_the_worker_after_what_is_in_hand",
    },
    "A broken or hostile claim": {
        "typed where it is read": "worker/test_events.py::test_any_json_value_as_data_ends_in_a_refusal",
        "size, depth, time and memory bounded": f"{SWELL}::test_a_file_that_swells_or_stalls_is_refused_in_a_gigabyte_and_in_time",
        "what kills its worker goes to quarantine": "integration/test_poison.py",
    },
    "A verdict is denied": {
        "chained audit lines with a keyed MAC": f"{AUDIT}::test_a_chain_forged_with_another_key_is_found",
        "heads in Redis that are sealed with another key": f"{AUDIT}::test_the_head_in_redis_cannot_be_had_from_the_file",
        "`scrub audit verify`": "integration/test_audit_verify.py::test_meddling_is_found",
        "can cut the file back to that": f"{CHAINS}::test_the_head_of_a_cut_file_cannot_be_set_back_by_who_has_redis_and_the_file",
    },
    "A claim is changed here that its sender had right": {
        "where both are one": f"{REPAIRING}::test_one_value_is_one_value_however_it_is_written",
        "where a rule held the claim for it": f"{REPAIRING}::test_what_is_another_value_stays_a_suggestion",
        "a person confirms it as it was seen": "serve/pages/test_repair.py::test_what_would_be_written_otherwise_is_named_confirmed_and_judged_again",
        "under the seal of a waiver, bound to what it makes of the claim": f"{REPAIRING}::test_it_is_bound_to_what_was_seen_and_to_its_bytes",
        "every rule is asked again": f"{REPAIRING}::test_a_repaired_claim_is_judged_as_any_other_and_what_else_is_wrong_holds_it",
        "a version that its sender sent since wins": f"{REPAIRING}::test_a_correction_of_the_host_wins_whenever_it_comes",
        "is on the audit chain": f"{REPAIRING}::test_the_audit_log_has_who_and_what_without_values_or_text",
    },
    "A claim is let go that should be held": {
        "names every blocking finding": f"{WAIVING}::test_a_new_finding_of_another_book_holds_it_still_and_is_said",
        "bound to the content": f"{WAIVING}::test_a_claim_that_is_not_the_one_that_was_waived_stays_held",
        "has a last day": f"{WAIVING}::test_after_its_last_day_it_holds_no_longer",
        "believed on the inner stream alone, and under a seal": f"{WAIVING}::test_no_sender_can_waive",
        "with a keyed digest of the reason": f"{WAIVING}::test_the_act_is_on_the_audit_log_without_its_reason_and_the_decision_names_the_waiver",
        "never followed by an older one": f"{WAIVING}::test_an_old_version_is_never_billed_after_a_later_one_whatever_its_member_id",
        "exact duplicates are never waived": f"{WAIVING}::test_an_exact_duplicate_is_not_waived",
        "what a front end refuses": f"{WAIVING}::test_what_the_front_end_refuses_is_not_waived",
        "it wants a right of its own": "serve/pages/test_waive.py::test_the_right_to_waive_is_one_of_its_own",
        "and what was seen": "serve/test_waive.py::test_what_is_not_as_it_was_seen_or_as_it_must_be_writes_nothing",
    },
    "A key is in other hands": {
        "what comes after is chained and hashed under another key": f"{ROTATION}::test_real_workers_decide_under_load_while_both_keys_are_rotated",
        "a chain never goes back to a key of before": f"{AUDIT}::test_what_is_forged_with_a_key_of_before_does_not_follow_a_line_of_a_later_one",
        "history": f"{ROTATION}::test_history_of_before_is_found_and_a_ledger_is_never_there_twice",
        "old files stay readable": f"{AUDIT}::test_a_chain_goes_on_under_another_key_and_verifies_with_the_ring",
    },
    "Redis is emptied, cut": {
        "a worker finds that its commits are gone": f"{BEHIND}::test_a_process_that_lives_says_once_that_redis_forgot_its_commits",
        "one that starts compares the audit files, `doctor`": f"{BEHIND}::test_status_of_the_command_doctor_and_a_worker_that_starts",
        "`scrub audit lost` name each decision": f"{BEHIND}::test_after_flushall_every_decision_is_named_with_its_chain",
        "alert RedisBehind": "ops/test_alerts.py::test_it_fires_when_it_should",
        "`scrub restore` puts ledgers and event memory back": f"{RESTORE}::test_after_flushall_duplicates_and_repeats_of_before_the_snapshot_are_found",
        "the last nightly snapshot": f"{KUBERNETES}::test_a_night_has_one_snapshot_and_one_purge_that_are_tried_again_and_end",
    },
    "Audit files are removed": {
        "a worker looks at its file before each commit": f"{CHAINS}::test_a_live_worker_whose_file_is_taken_away_decides_no_claim_without_a_line_on_disk",
        "goes on in a new one that names the old": f"{AUDIT}::test_lines_go_to_a_new_chain_that_names_the_one_which_was_lost",
        "want a file for each chain that Redis knows": f"{CHAINS}::test_a_file_that_is_gone_is_called_missing",
        "a file of another host is missed there alone": f"{CHAINS}::test_chains_of_another_host_are_counted_and_not_called_missing",
    },
    "A rule is changed unseen": {
        "the book's digest is in each report and audit line": "integration/test_switch.py::test_a_switch_among_two_thousand_claims_loses_none_and_each_names_the_book_that_judged_it",
        "names who and why in the audit log": "integration/test_switch.py::test_of_two_switches_at_the_same_moment_one_is_refused_and_both_are_audited",
        "all else that judges refuse a packed book": "cli/test_packs.py::test_what_judges_claims_takes_no_packed_book_that_the_hospital_did_not_sign",
        "refused by `scrub rules switch` unless `--allow-older` is given": "integration/test_switch.py::test_an_older_book_is_refused_where_that_is_asked_and_a_rollback_is_not",
        "by workers unless who has the secret asked for it": "integration/test_older_books.py",
        "`SCRUB_BOOK_SIGNATURES`": "worker/test_signature.py::test_where_two_must_sign_one_who_signs_twice_is_one",
    },
    "A package is replaced": {
        "lock file with a hash for every file": f"{CONTAINER}::test_the_image_has_no_compiler_no_pip_and_no_root",
        "`make advisories`": "ops/test_release.py::test_the_verdict_on_advisories",
        "bill of materials by `make release`": "ops/test_release.py::test_the_bill_of_materials_has_every_locked_package_with_its_hashes",
        "`make lint` fails at one that is not listed or whose tag moves": f"{IMAGES}::test_a_new_image_and_a_moving_tag_are_faults",
        "`scrub doctor` names a server with a hole": "worker/test_doctor.py::test_a_server_with_a_known_vulnerability_is_named_with_what_fixes_it",
    },
    "A container is broken into": {
        "no root, read-only root file system, no capabilities, no new privileges, limits": f"{CONTAINER}::test_every_service_is_locked_down",
        "no compiler or pip in the image": f"{CONTAINER}::test_the_image_has_no_compiler_no_pip_and_no_root",
        "holds the Docker socket": f"{CONTAINER}::test_none_runs_as_root_but_the_one_that_reads_the_docker_socket",
    },
    "Passwords leak": {
        "none on a command line": f"{ACCESS}::test_no_password_is_on_a_command_line",
        "in an environment or in a log": f"{PASSWORDS}::test_a_worker_goes_on_while_its_password_is_rotated_and_no_password_is_shown",
    },
    "A user of Redis watches": {
        "no CLIENT TRACKING": f"{ACCESS}::test_a_connection_is_sent_no_names_of_keys_that_others_write",
        "no CLIENT LIST, MONITOR, KEYS, keyspace events": f"{ACCESS}::test_nobody_but_the_administrator_sees_names_of_keys_or_what_others_do",
        "SCAN for `operator` alone": f"{ACCESS}::test_only_the_operator_walks_through_the_names_of_keys",
        "`monitor` reaches inbox and outlets alone": f"{ACCESS}::test_the_monitor_sees_numbers_and_no_claim",
        "INFO counts keys, clients and commands for all": f"{PRODUCERS}::test_info_tells_a_producer_numbers_and_no_name_of_a_key",
    },
    "A name or text of somebody else's": {
        "all that a command prints is neutral": "cli/test_foreign_text.py::test_everything_in_redis_is_shown_and_steers_nothing",
        "JSON escapes what is not printable": "cli/test_foreign_text.py::test_any_value_is_valid_json_on_one_printable_line_that_reads_back",
        "`worker/cli/common/terminal.py`": "cli/test_foreign_text.py::test_no_command_writes_past_the_terminal_module",
    },
    "The drop folder holds": {
        "also not as `done` or `failed`": "cli/test_drop_names.py::test_a_link_that_takes_the_place_of_done_stops_the_sending_until_it_is_gone",
        "what is no file is left alone": "cli/test_drop_names.py::test_what_is_no_file_is_said_once_and_left_alone_and_said_again_after_a_restart",
        "what cannot be read goes to `failed/`": "worker/test_dropfolder_faults.py::test_what_cannot_be_opened_goes_to_failed_unread",
        "odd names": "cli/test_drop_names.py::test_a_file_of_any_name_is_sent_once_keeps_its_name_and_has_a_report_that_can_be_looked_at",
    },
    "A claim of a source that leaves by file is sent twice": {
        "is on no outlet": f"{FILING}/test_files.py::test_nothing_of_it_is_where_a_reader_of_the_hospital_looks",
        "stand before a name does": f"{FILING}/test_broken.py::test_it_may_break_off_at_any_step",
        "one owner by event": f"{FILING}/test_files.py::test_a_claim_that_is_in_two_files_leaves_with_the_first",
        "which the folder knows where Redis does not": f"{LATER}::test_redis_of_an_older_copy_sends_nothing_again",
        "decided for whoever comes later": f"{FILING}/test_cutoff.py::test_what_is_not_decided_at_the_cutoff_is_undecided_and_decided_by_nobody_later",
    },
    "A token of the HTTP service is stolen": {
        "256 random bits, kept as a hash": f"{TOKENS}::test_a_token_is_shown_once_and_kept_as_a_hash_in_a_file_of_its_owner_alone",
        "`scrub token revoke` counts from the next request on": f"{TOKENS}::test_no_token_a_wrong_one_an_expired_one_and_a_revoked_one",
        "refusals and looks at cases are in the audit log": f"{HTTP_CASES}::test_a_case_is_listed_seen_and_acted_on_and_all_of_it_is_in_the_audit_log",
    },
    "Somebody asks over HTTP for what is not his": {
        "every route wants a right": f"{TOKENS}::test_every_route_wants_its_right_and_a_refusal_is_in_the_audit_log",
        "another facility's case is answered as one that is not there": f"{HTTP_CASES}::test_a_facility_sees_its_own_cases_alone_and_a_guess_is_in_the_audit_log",
        "source and facility of claims come from the token, never from the body": f"{HTTP_CLAIMS}::test_what_an_event_says_of_its_source_is_passed_over",
        "a claim number is in no URL and no log": f"{HTTP}::test_nothing_of_a_claim_and_nothing_that_was_asked_for_is_in_the_log",
    },
    "Somebody floods the HTTP service": {
        "bodies are limited and never unpacked": f"{HTTP_CHECKS}::test_what_is_not_taken_is_a_problem",
        "one that does not come in 20 seconds": "serve/test_strangers.py::test_who_sends_slowly_is_not_waited_for",
        "200 claims a check": f"{HTTP_CHECKS}::test_two_hundred_claims_are_judged_and_one_more_is_not",
        "1,000 a call": f"{HTTP_CLAIMS}::test_more_than_a_thousand_are_refused",
        "a full queue": f"{HTTP_CLAIMS}::test_a_full_queue_is_503_with_when_to_come_again",
        "an address that fails ten times in a minute waits": f"{TOKENS}::test_who_fails_often_waits_and_who_has_a_token_does_not",
    },
    "tables of held claims (": {
        "no cell is a formula": "serve/pages/test_money.py::test_no_cell_of_the_export_is_a_formula_and_every_row_is_whole",
        "who exported them in the browser, and how many, is in the audit log": "serve/pages/test_money.py::test_the_list_is_exported_as_it_is_filtered_and_that_is_on_the_audit_log",
    },
    "memory of `scrub serve`": {"30 minutes without a page": f"{SIGN_IN}::test_a_visit_ends_when_nobody_comes_and_after_a_day_of_work_in_any_case"},
    "Somebody forges, reads or repeats": {
        "https alone, with a certificate that is checked": f"{WEBHOOK}::test_a_stranger_in_its_place_is_told_nothing",
        "HMAC-SHA-256 over id, time and body; without the claim": f"{WEBHOOK}::test_each_decision_is_told_once_signed_in_order_and_without_the_claim",
    },
    "A page of somebody else's acts": {
        "a form of the desk holds a token of one browser": f"{PAGES}::test_a_page_of_another_site_cannot_act",
        "the cookie goes with no request of another site and to no script": f"{PAGES}::test_a_cookie_is_out_of_reach_of_scripts_and_other_sites",
        "each answer forbids framing, sniffing, referrers, caches": f"{HTTP}::test_every_answer_has_the_headers",
    },
    "Somebody signs in to the desk": {
        "a code counts once": f"{SIGN_IN}::test_a_code_counts_once_and_the_next_one_is_told",
        "is in no URL": "serve/pages/test_browser.py::test_a_visit_from_the_printed_code_to_the_next_claim_by_keys",
        "lets in from this machine alone": f"{SIGN_IN}::test_a_code_is_for_this_machine_alone",
        "five wrong ones shut the door for 15 minutes": f"{SIGN_IN}::test_five_wrong_codes_shut_the_door_for_a_quarter_of_an_hour_and_make_a_new_code",
        "a proxy is believed by its address": f"{SIGN_IN}::test_a_proxy_counts_by_its_address_alone",
        "whom it gives no group may nothing": f"{PAGES}::test_who_may_nothing_sees_nothing",
        "a visit ends after 30 minutes without a page": f"{SIGN_IN}::test_a_visit_ends_when_nobody_comes_and_after_a_day_of_work_in_any_case",
    },
    "A text of a claim, a note or a name": {
        "all that a page shows is escaped": f"{PAGES}::test_hostile_text_does_nothing_wherever_it_stands",
        "no script but our one file runs, and none is in a page": f"{PAGES}::test_nothing_is_kept_by_a_browser_but_style_and_script",
        "signs that turn writing around or hide are shown by their numbers": "serve/pages/test_claimpage.py::test_a_template_escapes_and_shows_what_turns_the_writing_around_by_its_number",
        "refused in notes": f"{PAGES}::test_hostile_text_does_nothing_wherever_it_stands",
    },
    "A command breaks": {"exit code 70, kind and place of the error, and none of its text": "cli/test_crash.py::test_a_command_that_breaks_ends_with_70_and_tells_kind_and_place_and_no_text"},
    "Logs of Redis show claims": {
        "slow log, Valkey's log of large commands": f"{ACCESS}::test_it_keeps_no_claim_in_a_log_of_slow_or_large_commands",
        "crash report off": f"{ACCESS}::test_it_evicts_nothing_and_writes_no_crash_report",
        "MONITOR for `admin` alone": f"{ACCESS}::test_nobody_but_the_administrator_sees_names_of_keys_or_what_others_do",
    },
    # What a stolen producer password can do.
    "Of a registered producer": {
        "it cannot read, delete, block by script, backdate or speak for another facility": f"{PRODUCERS}::test_the_honest_ones_claims_all_come_out_once",
    },
    "*Read*": {
        "it has INFO, CLUSTER SLOTS, HGET of `meta` and XADD on its own streams; no MGET": f"{PRODUCERS}::test_a_producer_adds_to_its_own_stream_asks_for_room_and_can_do_nothing_else",
        "no tracking": f"{PRODUCERS}::test_no_tracking_tells_it_names_of_keys",
        "INFO has counts and no keys": f"{PRODUCERS}::test_info_tells_a_producer_numbers_and_no_name_of_a_key",
    },
    "*Delete*": {
        "XADD's MAXLEN reaches its own stream alone": f"{PRODUCERS}::test_the_honest_ones_claims_all_come_out_once[trims]",
        "the alert ProducerDeletesClaims": "ops/test_alerts.py::test_it_fires_when_it_should",
        "`scrub status` and `scrub doctor` name it": "cli/test_producers.py::test_who_deleted_its_own_claims_is_named",
    },
    "*Block by script*": {
        "no EVAL": f"{PRODUCERS}::test_the_honest_ones_claims_all_come_out_once[loops]",
        "An id of 2^64-1 closes its own stream alone": f"{PRODUCERS}::test_the_honest_ones_claims_all_come_out_once[exhausts]",
        "an id of the year 10000 dates nothing": f"{PRODUCERS}::test_the_honest_ones_claims_all_come_out_once[postdates]",
    },
    "*Backdate*": {
        "neither `received_date` nor `time` nor an entry's id is receipt": f"{STREAMS}::test_neither_date_time_nor_id_of_a_registered_producer_is_receipt",
        "the moment at which a worker first reads the entry, by Redis' clock": f"{STREAMS}::test_receipt_is_when_a_worker_first_read_it_whoever_decides_it",
        "`--trusted-receipt`": f"{STREAMS}::test_of_a_trusted_one_they_are",
    },
    "*Speak for another facility*": {
        "so is its source where one is given": f"{STREAMS}::test_an_event_of_a_bound_source_is_known_by_that_alone_and_no_other_may_have_it",
        "its events are known apart from others'": f"{STREAMS}::test_an_event_is_known_by_its_producer_too",
        "so that it takes no identity": f"{PRODUCERS}::test_the_honest_ones_claims_all_come_out_once[takes_names]",
        "`forwarded_from` and `requeue_of` are believed on the inner stream alone": f"{PRODUCERS}::test_the_honest_ones_claims_all_come_out_once[forges]",
        "voids, replacements and versions reach ledger entries of its own facility alone": f"{PRODUCERS}::test_voids_and_replacements_of_another_facility_reach_no_claim_of_this_one",
    },
    "*False claims* count": {
        "may hold a true one back as a duplicate": f"{PRODUCERS}::test_a_false_claim_counts_in_the_patients_history_and_is_named_with_its_sender",
    },
    "*Memory*": {
        "Workers take equal shares of all streams": f"{STREAMS}::test_a_flood_on_one_stream_leaves_the_others_their_share",
        "above their ceiling they wait, and go on as outlets are read": f"{PRESSURE}::test_a_flood_past_every_ceiling_is_worked_off_as_soon_as_the_outlets_are_read",
        "XADD asks nobody whether there is room": f"{PRESSURE}::test_a_flood_to_the_last_byte_is_worked_off_by_a_worker_that_no_message_reaches_any_more",
        "`ACL DELUSER producer-NAME` shuts it out, also where it is connected already": f"{PRODUCERS}::test_one_command_shuts_a_producer_out_at_once",
    },
    "Each sentence is a test": {},
    # What an input may cost.
    "`tests/worker/test_swell.py`, `tests/rules": {},
    "**A file**": {
        "under 1 GB of memory": f"{SWELL}::test_a_file_that_swells_or_stalls_is_refused_in_a_gigabyte_and_in_time",
        "524,288 values at most": f"{SWELL}::test_a_document_of_more_values_than_memory_should_hold_is_refused_undecoded",
        "each item with `SCRUB_MAX_EVENT_BYTES` (1 MB) at most": f"{SWELL}::test_a_fault_in_an_array_names_its_line_and_column_and_costs_no_item_before_it",
    },
    "**gzip** is left off": {"16 MB and 250 times its size": f"{SWELL}::test_a_stream_that_swells_is_left_off_and_what_came_before_is_read"},
    "**100,000 documents refused": {"end a file, with the place": f"{SWELL}::test_documents_that_are_all_refused_end_the_file_and_the_place_is_reported"},
    "**A claim** is refused": {
        "for its lengths before its items are looked at": f"{SWELL}::test_lengths_are_looked_at_before_what_is_in_the_list",
        "A hundred problems are kept": f"{SWELL}::test_an_event_of_a_megabyte_has_a_hundred_problems_at_most_and_says_that_there_are_more",
    },
    "**Judging** grows": {
        "grows with the lines": "rules/test_many_lines.py::test_eight_times_the_lines_cost_nowhere_near_sixty_four_times_the_processor_time",
        "A worker judges 2 MB of events at once, commits 32 MB of decisions at once": "integration/test_large_batches.py::test_what_is_sent_to_redis_at_once_is_bounded",
        "the others of such a batch are not late": "integration/test_large_batches.py::test_a_batch_of_large_claims_is_decided_in_parts_and_nobody_is_tried_alone",
    },
    "**Quarantine** keeps": {
        "keeps what came in whole": "integration/test_hostile_events.py::test_what_was_cut_down_to_a_hundred_problems_can_still_be_put_back_on_the_queue_whole",
        "at most twice its bytes and 64 KB": "worker/test_quarantined_size.py::test_no_bytes_grow_to_more_than_twice_and_all_are_kept",
    },
    "**A remittance** has": {
        "10,000 service lines": f"{SWELL}::test_a_remittance_of_one_claim_without_end_is_refused_and_the_next_claim_is_read",
        "**a zip of tables**": f"{SWELL}::test_a_zip_in_a_zip_that_swells_or_goes_on_without_end_is_refused_unread",
        "**a book in Redis** 64 MB": f"{SWELL}::test_a_book_in_redis_is_not_inflated_beyond_what_a_book_may_have",
    },
    "Not stood against": {},
    # Users of Redis.
    "`ops/access.py` is the table": {
        "`ops/redis/users.acl` is made of it": f"{ACCESS}::test_the_acl_file_is_what_the_table_says",
        "runs the whole pipe with these users": f"{ACCESS}::test_the_whole_pipe_works_with_the_least_rights_and_nothing_is_refused_but_the_producers_notification",
    },
    "`worker` | workers": {"nothing on the server": f"{ACCESS}::test_nobody_but_the_administrator_may_change_the_server_or_look_at_it_as_a_whole"},
    "`producer-NAME`": {"prints its line": f"{PRODUCERS}::test_the_server_starts_with_the_lines_that_the_command_printed"},
    "`producer` | senders": {"XADD to the inbox": f"{ACCESS}::test_a_producer_reads_neither_inbox_nor_outlet"},
    "`billing`, `rework`": {"read and acknowledge that one outlet": f"{ACCESS}::test_a_consumer_reads_its_own_outlet_and_nothing_else"},
    "`files` | who files": {"put claims on registered streams": f"{ACCESS}::test_who_files_gets_along_with_its_own_rights"},
    "`operator` | a person": {
        "write snapshots": f"{RESTORE}::test_the_operators_account_takes_it_and_the_administrators_puts_it_back",
        "requeue or drop from quarantine; enter history; put rule books and overrides in force": f"{ACCESS}::test_an_operator_empties_the_quarantine_enters_history_and_switches_the_book",
        "retire audit chains": f"{CHAINS}::test_the_operator_of_a_guarded_server_may_verify_and_retire",
    },
    "`serve` | the HTTP service": {
        "No other outlet, no book, no notification": f"{ACCESS}::test_nobody_but_the_worker_writes_an_outlet",
        "XADD to the inbox and producers' streams": "serve/test_access.py::test_its_own_account_is_enough_and_nothing_is_refused_but_the_notification",
    },
    "`monitor` | KEDA": {"lengths and lags; no entry": f"{ACCESS}::test_the_monitor_sees_numbers_and_no_claim"},
    "`admin` | emergencies": {
        "`scrub partitions N`": f"{ACCESS}::test_partitions_are_added_by_the_administrator_and_an_attempt_of_others_locks_nobody_out",
        "`scrub restore`": f"{RESTORE}::test_the_operators_account_takes_it_and_the_administrators_puts_it_back",
    },
    "`default` | nobody": {"off, without a password": f"{ACCESS}::test_nobody_comes_in_without_a_name_and_a_password"},
    "`default` is off and still": {"in its name Redis reads its append-only file at start": f"{ACCESS}::test_a_restart_brings_back_every_decision"},
    "A producer's notification is refused": {
        "its claims wait for the workers' own look": f"{ACCESS}::test_the_whole_pipe_works_with_the_least_rights_and_nothing_is_refused_but_the_producers_notification",
        "`monitor` has XINFO GROUPS alone": f"{ACCESS}::test_the_monitor_sees_numbers_and_no_claim",
    },
    # Passwords and the secret.
    "`SCRUB_REDIS_URL` names the user": {
        "must be their owner's alone (0600), or root's and readable for the worker's group (0440)": "worker/test_secret.py::test_one_that_root_hands_to_our_group_is_taken_unless_others_may_read_or_the_group_may_write",
        "a link is refused": "worker/test_keyring.py::test_a_ring_that_others_may_read_or_that_is_a_link_is_refused",
        "made 0700 and 0600 whatever the umask": "integration/test_umask.py::test_whatever_a_command_makes_is_its_owners_alone",
        "a folder of before is closed": "integration/test_umask.py::test_a_state_folder_of_before_is_closed_with_all_that_is_in_it",
        "refused where others may write in it": "integration/test_umask.py::test_a_folder_that_holds_something_else_is_not_closed_and_not_used_where_others_may_write_in_it",
    },
    "The password of the case store's database": {
        "read for each connection, and is in no message": "desk/test_case_store_password.py::test_it_is_read_for_each_connection_and_what_is_wrong_with_it_is_said_without_it",
    },
    "The password file is read": {
        "read at each new connection": f"{PASSWORDS}::test_a_client_that_is_open_logs_in_with_the_password_that_the_file_has_now",
        "also behind Sentinel": f"{PASSWORDS}::test_behind_sentinel_the_password_of_the_primary_is_rotated_the_same_way",
        "is kept nowhere else": "worker/test_settings.py::test_the_password_is_read_from_its_file_at_each_connection_and_stands_nowhere_else",
        "rotated without a restart": f"{PASSWORDS}::test_claims_flow_while_two_passwords_are_valid_and_each_is_decided_once",
        "the worker says so in its log": f"{PASSWORDS}::test_a_password_file_that_is_unusable_for_a_while_is_reported_and_tried_again",
    },
    "Two rings of keys": {
        "turn apart": "worker/test_keyring.py::test_the_rings_turn_apart",
        "refuse what was made under others": f"{ROTATION}::test_what_was_judged_under_the_keys_of_before_is_not_written_after_the_rotation",
        "no ledger is written under two keys": f"{ROTATION}::test_history_of_before_is_found_and_a_ledger_is_never_there_twice",
        "who lacks a key waits and says so": f"{ROTATION}::test_a_worker_that_has_not_seen_the_new_key_decides_nothing_and_says_so",
        "which decides the partition": f"{ROTATION}::test_more_partitions_after_a_rotation_find_every_ledger",
        "four times, under real workers": f"{ROTATION}::test_real_workers_decide_under_load_while_both_keys_are_rotated",
    },
    "The certificate and the name in it": {
        "The certificate": "integration/test_tls.py::test_a_server_with_a_strangers_certificate_is_refused",
        "the name in it are checked": "integration/test_tls.py::test_a_server_under_another_name_is_refused",
        "Claims and notifications both go through it": "integration/test_tls.py::test_claims_and_notifications_go_through_tls",
        "client certificates": "integration/test_tls.py::test_without_its_certificate_a_client_is_refused_where_the_server_wants_one",
    },
    "`tests/integration/test_tls.py` runs": {},
    "`make release` writes": {
        "a CycloneDX bill of materials of every locked package with its hashes": "ops/test_release.py::test_the_bill_of_materials_has_every_locked_package_with_its_hashes",
        "count as unknown, not as clean": "ops/test_release.py::test_the_verdict_on_advisories",
    },
    "What could go wrong, where": {},
}  # fmt: skip

ATTACKS: Mapping[str, tuple[str, ...]] = {
    "XADD with MAXLEN 1 deletes everybody's waiting claims": ("trims",),
    "an explicit id of 2^64-1 closes the inbox for ever": ("exhausts",),
    "an id of the year 10000 sends every later claim to quarantine": ("postdates",),
    "EVAL loops freeze Redis, EVAL with allow-oom passes maxmemory": ("loops", "exceeds"),
    "forwarded_from and requeue_of backdate, bill twice, lose another's requeue": ("forges",),
    "event identity can be taken by another sender first": ("takes_names",),
}
"""What one stolen password did to the single inbox, and which attack of `tests/integration/attacks.py` tries it."""

RUN = "integration/test_runbook.py::test_what_a_section_says_to_run_runs"
LAYOUTS = "integration/test_layouts.py"
RUNBOOK: Mapping[str, Mapping[str, str]] = {
    "The case store is lost": {
        "`scrub doctor` says so": "cli/test_rework_keeping.py::test_a_store_that_is_lost_is_said_to_be_new_and_is_made_again",
        "scrub rework rebuild --check": "cli/test_rework_keeping.py::test_a_store_that_is_lost_is_said_to_be_new_and_is_made_again",
        "Cases are what they were": "desk/test_killed.py::test_cases_that_are_rebuilt_equal_those_that_were_there_after_kills",
        "stays as it is": f"{REBUILDING}::test_what_these_files_do_not_know_stays_as_it_is",
        "names cases of which a text is not the one that was written": f"{REBUILDING}::test_a_text_that_somebody_changed_or_took_away_is_named",
    },
    "Every night": {
        "With the environment of a worker, as the user `operator`": f"{RESTORE}::test_the_operators_account_takes_it_and_the_administrators_puts_it_back",
        "scrub snapshot": RUN,
        "On Kubernetes `ops/kubernetes/snapshot.yaml` does it": f"{KUBERNETES}::test_the_nightly_snapshot_is_taken_by_who_may_see_all_and_kept_apart",
        "The files are encrypted under an audit key": f"{RESTORE}::test_nothing_of_it_can_be_read_and_all_of_it_comes_back",
        "`scrub doctor` says once they no longer come": f"{RESTORE}::test_the_doctor_says_when_they_no_longer_come",
    },
    "A new layout of the keys": {
        "writes the one that it finds": f"{LAYOUTS}::test_until_it_is_migrated_all_is_written_as_the_release_before_reads_it",
        "`scrub status` shows layout 2 behind each worker": "cli/test_producers.py::test_the_layout_is_changed_by_command_and_no_earlier",
        "Releases of before refuse to start from then on": f"{LAYOUTS}::test_the_release_before_starts_neither_while_it_migrates_nor_after",
        "It refuses while an older worker is alive": f"{LAYOUTS}::test_it_is_refused_while_an_older_worker_is_alive",
        "are neither lost nor decided twice": f"{LAYOUTS}::test_it_is_worked_off_and_nothing_is_lost_or_decided_twice",
        "If it breaks off, run it again": f"{LAYOUTS}::test_one_that_broke_off_is_seen_harms_nothing_and_is_finished_by_doing_it_again",
    },
    "A new sender": {
        "`--source` binds the sender's events to that source": f"{STREAMS}::test_an_event_of_a_bound_source_is_known_by_that_alone_and_no_other_may_have_it",
        "voids and replacements reach no other facility's": f"{PRODUCERS}::test_voids_and_replacements_of_another_facility_reach_no_claim_of_this_one",
        "`--trusted-receipt` only where its dates are to count": f"{STREAMS}::test_of_a_trusted_one_they_are",
        "The sender sets `SCRUB_PRODUCER=ehr`": f"{STREAMS}::test_the_packaged_client_puts_claims_on_its_stream",
        "`ACL DELUSER producer-ehr`, which ends its connections": f"{PRODUCERS}::test_one_command_shuts_a_producer_out_at_once",
        "once nothing of it waits, `scrub producer remove ehr`": f"{STREAMS}::test_a_producer_is_removed_once_nothing_of_it_waits_and_its_claims_stay_in_the_books",
    },
    "Rotating a password": {
        "No claim waits and nothing is restarted": f"{PASSWORDS}::test_claims_flow_while_two_passwords_are_valid_and_each_is_decided_once",
        "A new password beside the old one": RUN,
        "\"wants another user or password\"": f"{PASSWORDS}::test_a_worker_whose_file_comes_late_waits_for_it_and_says_why",
        "Workers connect anew by themselves": f"{PASSWORDS}::test_a_worker_goes_on_while_its_password_is_rotated_and_no_password_is_shown",
    },
    "Rotating a key": {
        "files of an old audit key verify by it": f"{AUDIT}::test_a_chain_goes_on_under_another_key_and_verifies_with_the_ring",
        "history is looked for under an old patient key": f"{ROTATION}::test_history_of_before_is_found_and_a_ledger_is_never_there_twice",
        "`operator` may not": f"{ROTATION}::test_the_account_of_the_workers_is_enough_and_what_a_person_did_is_in_the_audit_log",
        "scrub secret rotate audit": RUN,
        "once all workers that are alive have the file": f"{ROTATION}::test_a_key_comes_in_force_only_when_every_worker_has_it",
        "decides nothing and says which file it lacks": f"{ROTATION}::test_a_worker_that_has_not_seen_the_new_key_decides_nothing_and_says_so",
        "says *wrong key*, not *tampered*": f"{AUDIT}::test_a_key_that_is_not_here_is_called_a_wrong_key_and_no_tampering",
        "while workers of 0.1.1 or before are alive": f"{ROTATION}::test_while_a_worker_of_the_release_before_is_alive_nothing_is_rotated_and_after_it_none_starts",
        "where the number of partitions is no power of two": f"{ROTATION}::test_with_a_number_of_partitions_that_is_no_power_of_two_the_patient_key_stays",
    },
    "RedisBehind": {
        "A worker found that Redis does not know commits": f"{BEHIND}::test_a_process_that_lives_says_once_that_redis_forgot_its_commits",
        "1 says that there is something": f"{BEHIND}::test_status_of_the_command_doctor_and_a_worker_that_starts",
        "decided again under the same decision id, is not listed": f"{BEHIND}::test_what_an_older_copy_lacks_is_named_and_what_is_decided_again_is_not",
        "with `scrub restore` as `admin`": f"{RESTORE}::test_the_operators_account_takes_it_and_the_administrators_puts_it_back",
        "It exits with 1 where something cannot be known, and says what": f"{RESTORE}::test_the_commands_say_what_was_put_back_and_what_cannot_be_known",
        "what Redis knows is recognized": f"{RESTORE}::test_what_redis_has_that_is_later_stays_and_to_restore_again_changes_nothing",
        "so that copies are found": f"{RESTORE}::test_of_claims_since_the_snapshot_the_audit_lines_tell_number_and_version_and_an_import_the_rest",
    },
    "WorkersWait": {
        "It ends by itself when there is room": f"{PRESSURE}::test_a_worker_outlives_a_redis_without_memory_and_goes_on_when_there_is_some",
        "The alert names the outlet with most unread": "ops/test_alerts.py::test_it_fires_when_it_should",
        "An outlet that no group reads is not waited for": f"{PRESSURE}::test_what_no_group_reads_holds_nobody_and_is_named_apart",
    },
}  # fmt: skip
"""The same of the runbook's sections on what turns, is copied and comes back, by section."""
