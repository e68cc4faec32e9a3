"""Who may enter the admin listener, as whom, and what they may do there.

`door` is what the settings say, `roster` who is known, `session` how a browser stays signed in, `rights` what each
endpoint asks for; `guard` puts them together before any endpoint.
"""
