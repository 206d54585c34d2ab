"""Make a run that showed an anomaly small, until hardly anything is left in it but the anomaly."""
