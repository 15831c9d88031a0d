"""The squared L2 norm of the centred image."""

from visprior.regularizer.power_norm import PowerNorm


class L2(PowerNorm):
    """weight / (B^2 H W) * sum (x - center)^2, grey levels; see PowerNorm."""

    name = "l2"
    power = 2
