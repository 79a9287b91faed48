//! Chains of iptables before nf_tables, which are out of our reach: nobody can put a rule there but
//! by writing the whole table anew, beside whoever does the same.

use crate::Error;
use sys::OrError;
use sys::iptables::{Table, table};
use sys::rustix::io::Errno;

/// `NF_INET_FORWARD`.
const FORWARD: usize = 2;
/// Where a rule (`struct ipt_entry`) says where its target and the next rule begin.
const TARGET_OFFSET: usize = 88;
/// `sizeof(struct xt_entry_target)`, behind which the verdict of a standard target is.
const TARGET: usize = 32;
/// `-NF_DROP - 1`.
const DROP: i32 = -1;

/// The commands that let our bridges pass such a chain.
pub const MEND: &str = "iptables-legacy -I FORWARD -i tinyo+ -j ACCEPT; \
                        iptables-legacy -I FORWARD -o tinyo+ -j ACCEPT";

/// Whether such a chain drops what is forwarded, as Docker and Podman make it do, and has no rule
/// about our bridges.
///
/// # Errors
/// What the kernel answers.
pub fn legacy_drops_forwarded() -> Result<bool, Error> {
    // Asking for a table that is not there would make it.
    let names = std::fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
    if !names.lines().any(|name| name == "filter") {
        return Ok(false);
    }
    match table("filter") {
        Err(Errno::PERM | Errno::NOPROTOOPT | Errno::NOENT | Errno::AGAIN) => Ok(false),
        table => {
            let table = table.or_error("getsockopt", || "IPT_SO_GET_ENTRIES, \"filter\"");
            Ok(drops(&table.map_err(Error::doing("read the rules of iptables"))?))
        }
    }
}

fn drops(table: &Table) -> bool {
    let (first, policy) = (table.first_rules[FORWARD] as usize, table.policies[FORWARD] as usize);
    let own = table.rules.get(first..policy).unwrap_or_default();
    let is_ours = own.windows(5).any(|it| it == b"tinyo");
    verdict(&table.rules, policy) == Some(DROP) && !is_ours
}

fn verdict(rules: &[u8], rule: usize) -> Option<i32> {
    let offset = rules.get(rule + TARGET_OFFSET..)?.get(..2)?;
    let target = usize::from(u16::from_ne_bytes(offset.try_into().ok()?));
    let verdict = rules.get(rule + target + TARGET..)?.get(..4)?;
    Some(i32::from_ne_bytes(verdict.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::drops;
    use sys::iptables::Table;

    /// A chain with a rule about this device, and this verdict in the end.
    fn table(device: &str, verdict: i32) -> Table {
        let mut rules = vec![0; 152];
        rules[16..16 + device.len()].copy_from_slice(device.as_bytes());
        let mut policy = vec![0; 152];
        policy[88..90].copy_from_slice(&112_u16.to_ne_bytes());
        policy[144..148].copy_from_slice(&verdict.to_ne_bytes());
        rules.extend(policy);
        Table { first_rules: [0; 5], policies: [152; 5], rules }
    }

    #[test]
    fn only_what_drops_and_does_not_know_us() {
        assert!(drops(&table("docker0", -1)));
        assert!(!drops(&table("docker0", -2)));
        assert!(!drops(&table("tinyo", -1)));
        assert!(!drops(&Table { rules: vec![0; 10], ..table("", -1) }));
    }
}
