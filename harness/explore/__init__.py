"""Run many seeds of a scenario in simulation, on one machine or on many, and keep what each of them showed."""
