//! Which addresses are out in the world, by IANA's registries of special-purpose addresses (RFC 6890 and what changed it). The
//! standard library's own answer, `is_global`, is not stable.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks and the lengths of their prefixes, none of them globally reachable.
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),            // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // shared: carriers, clouds
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's own services for its machines, though the network is public
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, with the clouds' metadata at 169.254.169.254
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments, and Oracle's metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // relays of 6to4, deprecated
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 3),      // multicast, reserved, broadcast
];

/// The same of what is allotted for unicast: 2000::/3. All else is special: loopback, unique and link-local, multicast.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, with Teredo
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, deprecated: an IPv4 address inside
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Whether an address is globally reachable, and so nothing of the operator's network.
pub(super) fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => embedded(address).map_or_else(|| is_global_v6(address), is_global_v4),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let inside =
        |&(network, length): &(Ipv4Addr, u32)| (address.to_bits() ^ network.to_bits()).leading_zeros() >= length;
    !SPECIAL_V4.iter().any(inside)
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let inside =
        |&(network, length): &(Ipv6Addr, u32)| (address.to_bits() ^ network.to_bits()).leading_zeros() >= length;
    inside(&(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)) && !SPECIAL_V6.iter().any(inside)
}

/// The IPv4 address that is meant: mapped, or behind the well-known prefix of NAT64, by which machines that have only IPv6
/// reach all of IPv4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_out_in_the_world_is_global() {
        let check = |addresses: &str, expect: bool| {
            for text in addresses.split_whitespace() {
                assert_eq!(is_global(text.parse().expect(text)), expect, "{text}");
            }
        };
        check("0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 127.0.0.1 127.255.0.3", false);
        check(
            "100.64.0.0 100.100.100.200 100.127.255.255 169.254.169.254 169.254.0.1",
            false,
        );
        check(
            "172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 168.63.129.16",
            false,
        );
        check(
            "192.0.0.192 192.0.2.1 198.51.100.7 203.0.113.9 198.18.0.1 198.19.255.255 192.88.99.1",
            false,
        );
        check("224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255", false);
        // One beside each of them.
        check(
            "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0",
            true,
        );
        check(
            "169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0",
            true,
        );
        check(
            "168.63.129.15 168.63.129.17 192.0.1.0 192.0.3.0 198.17.255.255 198.20.0.0 223.255.255.255",
            true,
        );
        check("8.8.8.8 20.190.128.1", true);

        check(
            ":: ::1 ::7f00:1 ::8.8.8.8 fc00::1 fd00:ec2::254 fdff::1 fe80::1 fec0::1 ff02::1",
            false,
        );
        check(
            "100::1 2001::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1 4000::1 5f00::1",
            false,
        );
        check(
            "::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::8.8.8.8",
            false,
        );
        check(
            "::ffff:8.8.8.8 64:ff9b::8.8.8.8 2001:200::1 2001:4860:4860::8888 2606:4700::1111 2a00::1",
            true,
        );
    }
}
