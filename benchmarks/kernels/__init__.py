"""One quorum workload on three simulation kernels; each module prints how many operations a second its kernel did."""
