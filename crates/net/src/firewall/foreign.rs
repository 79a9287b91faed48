//! Chains of others that would drop what our table lets pass.

use super::Firewall;
use super::TABLE;
use super::expression::{self, Expression, Meta, Verdict};
use super::message::{
    CREATE, DELETE_RULE, GET_CHAIN, GET_RULE, NEW_CHAIN, NEW_RULE, REQUEST, STRUCTURE, is, number,
    of_family,
};
use crate::Error;
use crate::link::PREFIX;
use std::fmt;
use sys::netlink::{DUMP, Message, Received, attributes};
use sys::rustix::io::Errno;

/// `NF_INET_FORWARD`.
const FORWARD: u32 = 2;
/// firewalld's last rule refuses what no zone allows; its policy tells nothing.
const FIREWALLD: &str = "firewalld";
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const RULE_EXPRESSIONS: u16 = 4;
const RULE_USERDATA: u16 = 7;
/// A comment as nft(8) writes them: its type, its length, the text.
const MARK: &[u8] = b"\x00\x06tinyo\x00";

/// A chain of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    family: u8,
    table: String,
    name: String,
}

impl Firewall {
    /// Puts two rules in front of each chain that other programs (Docker, firewalld, ufw) hook in
    /// where packets are forwarded and that drops what it does not know: what comes from our
    /// bridges and what goes to them passes there, as our own table says what may. Returns those
    /// chains that nobody but their owner can change (`NFT_TABLE_F_OWNER`, Linux
    /// 5.12): so does firewalld 2.1 and later.
    ///
    /// The rules are of a form that iptables knows, so it can still list and save them.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(super) fn open_foreign_chains(&mut self) -> Result<Vec<Chain>, Error> {
        let failed = || Error::doing("let networks pass the firewall of another program");
        let mut closed = Vec::new();
        for chain in self.strict_chains().map_err(failed())? {
            if !self.our_rules(&chain).map_err(failed())?.is_empty() {
                continue;
            }
            let rules = [Meta::InputName, Meta::OutputName].map(|name| rule(&chain, name));
            match self.commit(rules.to_vec()) {
                // It went away in the meantime.
                Err(it) if it.error.errno == Errno::NOENT => {}
                Err(it) if it.error.errno == Errno::PERM => {
                    closed.push(chain);
                }
                result => result.map_err(|it| failed()(it.error))?,
            }
        }
        Ok(closed)
    }

    /// Takes those rules out again.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn close_foreign_chains(&mut self) -> Result<(), Error> {
        let failed = || Error::doing("take our rules out of the firewall of another program");
        for chain in self.strict_chains().map_err(failed())? {
            for handle in self.our_rules(&chain).map_err(failed())? {
                let message = chain.message(DELETE_RULE, REQUEST).attribute(RULE_HANDLE, &handle);
                match self.commit(vec![message]) {
                    Err(it) if it.error.errno == Errno::NOENT => {}
                    result => result.map_err(|it| failed()(it.error))?,
                }
            }
        }
        Ok(())
    }

    /// Whether a rule in the tables of these chains names a device.
    pub(super) fn is_named(&mut self, chains: &[Chain], device: &str) -> Result<bool, Error> {
        let mut found = false;
        for Chain { family, table, .. } in chains {
            let message = of_family(GET_RULE, DUMP, *family).text(RULE_TABLE, table);
            let name = format!("{device}\0");
            let each = |answer: &Received<'_>| {
                let rule = value_of(answer, RULE_EXPRESSIONS).unwrap_or_default();
                found |= rule.windows(name.len()).any(|it| it == name.as_bytes());
            };
            let failed = Error::doing("read the firewall of another program");
            self.socket.request("NFT_MSG_GETRULE", message, each).map_err(failed)?;
        }
        Ok(found)
    }

    fn strict_chains(&mut self) -> Result<Vec<Chain>, sys::Error> {
        let mut found = Vec::new();
        let message = of_family(GET_CHAIN, DUMP, 0);
        self.socket.request("NFT_MSG_GETCHAIN", message, |answer| found.extend(strict(answer)))?;
        Ok(found)
    }

    /// The handles of the rules in a chain that have our mark.
    fn our_rules(&mut self, chain: &Chain) -> Result<Vec<Vec<u8>>, sys::Error> {
        let mut found = Vec::new();
        let each = |answer: &Received<'_>| {
            let text = |wanted| text_of(answer, wanted);
            if is(answer, NEW_RULE)
                && text(RULE_TABLE).as_ref() == Some(&chain.table)
                && text(RULE_CHAIN).as_ref() == Some(&chain.name)
                && value_of(answer, RULE_USERDATA) == Some(MARK)
            {
                found.extend(value_of(answer, RULE_HANDLE).map(<[u8]>::to_vec));
            }
        };
        match self.socket.request("NFT_MSG_GETRULE", chain.message(GET_RULE, DUMP), each) {
            Err(error) if error.errno == Errno::NOENT => Ok(Vec::new()),
            result => result.map(|()| found),
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.table, self.name)
    }
}

impl Chain {
    fn message(&self, kind: u16, flags: u16) -> Message {
        of_family(kind, flags, self.family)
            .text(RULE_TABLE, &self.table)
            .text(RULE_CHAIN, &self.name)
    }
}

/// `-i tinyo+ -j ACCEPT` or `-o tinyo+ -j ACCEPT`, in front of the others.
fn rule(chain: &Chain, device: Meta) -> Message {
    let expressions = [
        Expression::Meta(device, 0),
        Expression::Equal(0, PREFIX.as_bytes()),
        Expression::Counter,
        Expression::Verdict(Verdict::Accept),
    ];
    let message = chain.message(NEW_RULE, CREATE);
    expression::list(message, RULE_EXPRESSIONS, &expressions).attribute(RULE_USERDATA, MARK)
}

/// The chain, if it is one that forwarded packets pass, and drops.
fn strict(answer: &Received<'_>) -> Option<Chain> {
    const NAME: u16 = 3;
    const HOOK: u16 = 4;
    const POLICY: u16 = 5;
    let &[family, ..] = answer.content else { return None };
    // Those of ip, ip6 and inet.
    if !is(answer, NEW_CHAIN) || !matches!(family, 1 | 2 | 10) {
        return None;
    }
    let (_, hook) = attributes(value_of(answer, HOOK)?, 0).find(|(kind, _)| *kind == 1)?;
    let drops = value_of(answer, POLICY) == Some(&number(0)[..]);
    let table = text_of(answer, RULE_TABLE)?;
    let is_strict = hook == number(FORWARD) && (drops || table == FIREWALLD) && table != TABLE;
    is_strict.then_some(Chain { family, table, name: text_of(answer, NAME)? })
}

fn value_of<'a>(answer: &Received<'a>, wanted: u16) -> Option<&'a [u8]> {
    attributes(answer.content, STRUCTURE).find(|(kind, _)| *kind == wanted).map(|(_, it)| it)
}

fn text_of(answer: &Received<'_>, wanted: u16) -> Option<String> {
    let bytes = value_of(answer, wanted)?;
    Some(String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned())
}
