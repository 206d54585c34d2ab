"""Long campaigns, run by hand or by targets of their own: `python -m tests.campaigns.NAME`. pytest does not collect
them.
"""
