"""Benchmarks of docs/PERFORMANCE.md. Each module measures one thing; figures.py says what a line of output holds."""
