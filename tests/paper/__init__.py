"""The paper's own claims, section by section: Dynamo, SOSP 2007."""
