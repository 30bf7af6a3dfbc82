"""What the records in these tests say of the machine."""

MACHINE = {
    "cpu": "Some CPU",
    "cores": 2,
    "instruction_sets": ["avx2"],
    "memory_gib": 8.0,
    "load_at_start": 0.1,
    "system": "Linux",
    "python": "3.11",
    "versions": {"keras": "3.15"},
    "date": "2026-11-29",
    "commit": "abc",
}
