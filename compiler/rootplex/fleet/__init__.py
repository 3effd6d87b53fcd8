"""Many boards: the same jobs spread over processes or machines, and results that outlive an interruption.

| module | what |
|---|---|
| `work` | what is done with a board, the key of a result, and its line |
| `local` | spread over processes of this machine |
| `cluster` | spread over a Dask cluster (extra `rootplex[cluster]`) |
| `results` | a file of results that is gone on with |
"""
