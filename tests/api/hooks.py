"""What Schemathesis may not do: lock itself out, or wait for long. Everything else it may. And once
it signs in with a token that is good, which no schema lets it find."""

import os
from urllib.parse import unquote

import schemathesis

TOKEN = os.environ["INJECT_TOKEN"]
OWN = {"id": TOKEN[6:18], "email": "keeper@acme.com"}
OTHER = {"id": "000000000000", "email": "nobody@acme.com"}


@schemathesis.hook
def before_call(context, case, kwargs):
    parameters = case.path_parameters or {}
    for key, own in OWN.items():
        if unquote(str(parameters.get(key))).lower() == own.lower():
            parameters[key] = OTHER[key]
    if case.path == "/api/v1/session" and case.body == {"token": "inj_m_…"}:
        case.body["token"] = TOKEN
    if case.path.endswith("/watch") and isinstance(case.body, dict):
        wait = case.body.get("wait", 30)
        if type(wait) is int and wait > 1:
            case.body["wait"] = 1
