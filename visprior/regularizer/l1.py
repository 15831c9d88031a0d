"""The L1 norm of the centred image."""

from visprior.regularizer.power_norm import PowerNorm


class L1(PowerNorm):
    """weight / (B H W) * sum |x - center|, grey levels; see PowerNorm."""

    name = "l1"
    power = 1
