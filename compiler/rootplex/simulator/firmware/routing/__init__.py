"""Where a function's requests, messages and interrupt pins go, by device tree or by ACPI: `StreamRouter`,
`MsiRouter` and `IntxRouter` give the results in `routes`, `Explainer` both firmwares' side by side."""
