//! Our nf_tables table: published ports, masquerading, and who may reach whom.
//!
//! The chains and their rules are always the same ([`rules`]); what differs between machines are
//! the elements of a few sets and maps, [`Element`]. So a change is one transaction of a few
//! elements however many containers there are, two commands at once do not know of each other,
//! and the whole can be written anew from a list when somebody flushed it ([`Firewall::restore`]).
//!
//! What other tables forbid stays forbidden: see [`Firewall::admit`].

mod element;
mod expression;
mod flows;
mod foreign;
mod legacy;
mod message;
mod names;
mod rules;
mod watch;
mod zone;

pub use element::{Element, Published};
pub use legacy::{MEND as LEGACY_MEND, legacy_drops_forwarded};
pub use names::redirect_names;
pub use watch::Watch;

use crate::Error;
use element::Set;
use flows::Change;
use message::{GET_RULE, NEW_RULE, in_table};
use sys::netlink::{BatchError, DUMP, Message, Received, Socket, attributes};
use sys::rustix::io::Errno;

/// The name of our table, of the family `inet`.
pub const TABLE: &str = "tinyo";

/// A connection to the firewall of the network namespace it was opened in.
#[derive(Debug)]
pub struct Firewall {
    socket: Socket,
}

impl Firewall {
    /// Opens it; nothing is changed yet.
    ///
    /// # Errors
    /// [`Error::NoFirewall`].
    pub fn open() -> Result<Firewall, Error> {
        let socket = Socket::open_netfilter_as(watch::SENDER).map_err(Error::NoFirewall)?;
        Ok(Firewall { socket })
    }

    /// Adds elements, and first everything else if the table is not there. An element that has the
    /// place of one of these is left from a container that is gone, and is replaced. Flows of UDP that
    /// led elsewhere follow.
    ///
    /// # Errors
    /// What the kernel answers; nothing is changed then.
    pub fn add(&mut self, elements: &[Element]) -> Result<(), Error> {
        let failed = || Error::doing("add to the firewall");
        match self.commit(element::add(elements)) {
            Err(BatchError { error, .. }) if error.errno == Errno::NOENT => self.restore(elements),
            Err(BatchError { error, .. }) if is_taken(error.errno) => {
                self.replace(elements).map_err(|it| failed()(it.error))
            }
            result => result.map_err(|it| failed()(it.error)),
        }?;
        flows::forget(&mut self.socket, elements, Change::Added).map_err(failed())
    }

    /// Removes elements; those that are not there, or not as they are here, are passed over.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn remove(&mut self, elements: &[Element]) -> Result<(), Error> {
        // The kernel looks at keys alone, and that of another container may be the same by now.
        let mut found = Vec::new();
        for element in elements {
            found.extend(self.is_there(element)?.then_some(element));
        }
        let failed = || Error::doing("remove from the firewall");
        match self.commit(element::remove(&found)) {
            // Somebody was faster: then one by one.
            Err(it) if it.error.errno == Errno::NOENT && found.len() > 1 => {
                found.iter().try_for_each(|element| self.remove(std::slice::from_ref(*element)))
            }
            Err(it) if it.error.errno == Errno::NOENT => Ok(()),
            result => result.map_err(|it| failed()(it.error)),
        }?;
        flows::forget(&mut self.socket, elements, Change::Removed).map_err(failed())
    }

    /// Whether all rules are there, and these elements.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn is_whole(&mut self, elements: &[Element]) -> Result<bool, Error> {
        if self.count_rules()? != rules::count() {
            return Ok(false);
        }
        for element in elements {
            if !self.is_there(element)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes all rules anew and adds elements, in one transaction. Elements that are there stay.
    ///
    /// # Errors
    /// What the kernel answers; nothing is changed then.
    pub fn restore(&mut self, elements: &[Element]) -> Result<(), Error> {
        let failed = Error::doing("write the rules of the firewall");
        let messages = |elements| [rules::all(), elements].concat();
        let result = match self.commit(messages(element::add(elements))) {
            Err(it) if is_taken(it.error.errno) => {
                self.commit(rules::all()).and_then(|()| self.replace(elements))
            }
            result => result,
        };
        match result {
            Err(it) if it.error.errno == Errno::OPNOTSUPP => Err(Error::NoFirewall(it.error)),
            result => result.map_err(|it| failed(it.error)),
        }
    }

    /// Makes exactly these elements ours, whatever is there, in one transaction.
    ///
    /// # Errors
    /// What the kernel answers; nothing is changed then.
    pub fn reset(&mut self, elements: &[Element]) -> Result<(), Error> {
        let messages = [rules::remove(), rules::all(), element::add(elements)].concat();
        self.commit(messages).map_err(|it| Error::doing("write the firewall anew")(it.error))
    }

    /// Removes everything of ours, if it is there.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn clear(&mut self) -> Result<(), Error> {
        self.close_foreign_chains()?;
        self.commit(rules::remove()).map_err(|it| Error::doing("remove the firewall")(it.error))
    }

    /// All elements that are there.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn elements(&mut self) -> Result<Vec<Element>, Error> {
        let mut found = Vec::new();
        for set in Set::ALL {
            let each = |answer: &Received<'_>| found.extend(element::read(set, answer));
            match self.socket.request("NFT_MSG_GETSETELEM", element::dump(set), each) {
                Err(error) if error.errno == Errno::NOENT => {}
                result => result.map_err(Error::doing("list the firewall"))?,
            }
        }
        Ok(found)
    }

    fn replace(&mut self, elements: &[Element]) -> Result<(), BatchError> {
        for element in elements {
            let one = std::slice::from_ref(element);
            match self.commit(element::add(one)) {
                Err(it) if is_taken(it.error.errno) => {
                    self.commit([element::remove(&[element]), element::add(one)].concat())?;
                }
                result => result?,
            }
        }
        Ok(())
    }

    fn commit(&mut self, messages: Vec<Message>) -> Result<(), BatchError> {
        let (first, last) = message::around_batch();
        self.socket.batch("nf_tables", first, messages, last)
    }

    fn count_rules(&mut self) -> Result<usize, Error> {
        let mut count = 0;
        let message = in_table(GET_RULE, DUMP);
        let each = |answer: &Received<'_>| {
            // An older kernel gives those of all tables.
            let is_ours = || {
                attributes(answer.content, message::STRUCTURE)
                    .any(|it| it == (message::RULE_TABLE, &b"tinyo\0"[..]))
            };
            count += usize::from(message::is(answer, NEW_RULE) && is_ours());
        };
        match self.socket.request("NFT_MSG_GETRULE", message, each) {
            Err(error) if error.errno == Errno::NOENT => Ok(0),
            result => result.map(|()| count).map_err(Error::doing("read the firewall")),
        }
    }

    /// Whether an element is there, with the value it has here.
    fn is_there(&mut self, element: &Element) -> Result<bool, Error> {
        let (set, message) = element::look_up(element);
        let mut found = false;
        let each = |answer: &Received<'_>| found |= element::read(set, answer).contains(element);
        match self.socket.request("NFT_MSG_GETSETELEM", message, each) {
            Err(error) if error.errno == Errno::NOENT => Ok(false),
            result => result.map(|()| found).map_err(Error::doing("read the firewall")),
        }
    }
}

/// Whether the key of a map has another value already.
fn is_taken(errno: Errno) -> bool {
    matches!(errno, Errno::EXIST | Errno::BUSY)
}
