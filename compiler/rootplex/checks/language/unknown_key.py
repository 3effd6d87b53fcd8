"""unknown-key

What it finds: a key that the language does not have at this place.
Why it matters: a misspelt key would be ignored, and a default taken without a word.
Example: `host_bridges: [{name: main, segmnt: 1}]`.
What to do: take the key that the help names, or `rootplex schema` for all of them.
Source: the platform language, version 1 (`rootplex schema`).
"""

from rootplex.source.rules import UNKNOWN_KEY

RULE = UNKNOWN_KEY
