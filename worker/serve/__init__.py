"""The HTTP service, `scrub serve`: claims in, cases and acts, and the pages of the desk. Needs the extra `serve`.

`app` makes the application and sets what every answer carries; `serving` is what one process has open, for all routes;
`identity` says who asks and what he may; `problems` makes an error an answer (RFC 9457). Routes for programs are in a
module each (`checkroutes`, `claimroutes`, `caseroutes`, `healthroutes`), and take tokens alone (`gate`, `tokens`): a
cookie never counts there, so that no page of somebody else's can act through a browser. The pages for people are in
`pages`, with their sign-in, their sessions and what keeps forged forms out; `pages.routes.mount` puts them into the
application.
"""
