"""The desk in the browser: pages over cases, made on the server; each act is a form and a redirect.

`routes` mounts them. What a page shows is worked out by pure functions (`worklist`, `claimpage`, `figures`, `rulepage`,
`quarantine`, `found`) into frozen view models, of which the templates write no more than the words. `visits` knows
who is signed in, `acts` reads forms. Nothing here decides: cases and acts are worker/desk's.
"""
