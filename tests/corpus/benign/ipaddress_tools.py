import ipaddress


def summary(cidr):
    network = ipaddress.ip_network(cidr, strict=False)
    return {
        "network": str(network.network_address),
        "broadcast": str(network.broadcast_address),
        "hosts": max(network.num_addresses - 2, 0),
        "private": network.is_private,
        "first": str(next(network.hosts(), None)),
    }


def main(cidr="192.168.10.77/26"):
    try:
        return summary(cidr)
    except ValueError as error:
        return {"error": str(error)}
