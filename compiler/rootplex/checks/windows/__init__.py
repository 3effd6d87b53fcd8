"""Block 01: windows and configuration space, against each other and against everything else."""
