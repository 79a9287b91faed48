//! From a stream of bytes to entries and their data.

use super::header::{self, Header};
use super::pax::Extended;
use super::sparse::{self, Fragment, Lines};
use super::{BLOCK, Entry, Error, Kind, Name, Problem, shown};
use std::io::{self, BufRead, Seek, SeekFrom};

/// The longest extended header, or several of one entry together. Attributes of 64 KiB fit.
const MOST_EXTENDED: u64 = 1 << 20;

/// An archive that is read once, from its beginning to its end.
pub struct Reader<Source> {
    source: Source,
    /// How many bytes were read.
    at: u64,
    /// How many bytes of the entry's data were not read yet.
    remaining: u64,
    /// How many zeros follow the data, up to a whole block.
    padding: u64,
    global: Extended,
    ended: bool,
}

/// What was said in front of an entry's own header.
#[derive(Default)]
struct Preface {
    extended: Extended,
    /// Bytes of extended headers so far.
    length: u64,
    /// GNU's long name and link.
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<Source: BufRead + Seek> Reader<Source> {
    /// Goes past the data of the entry without reading it.
    ///
    /// # Errors
    /// The stream cannot seek after all.
    pub fn seek_past_data(&mut self) -> io::Result<()> {
        let count = self.remaining + self.padding;
        self.source.seek(SeekFrom::Current(i64::try_from(count).map_err(io::Error::other)?))?;
        self.at += count;
        (self.remaining, self.padding) = (0, 0);
        Ok(())
    }
}

impl<Source: BufRead> Reader<Source> {
    /// An archive from its first byte on.
    pub fn new(source: Source) -> Reader<Source> {
        Reader {
            source,
            at: 0,
            remaining: 0,
            padding: 0,
            global: Extended::default(),
            ended: false,
        }
    }

    /// How many bytes of the archive were read.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Goes to the next entry, past what is left of the data of the one before. `None` at the end
    /// of the archive; then the stream was read to its end, too.
    ///
    /// # Errors
    /// The archive is damaged, or its bytes cannot be had.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        let mut preface = Preface::default();
        loop {
            self.skip_rest()?;
            let Some(block) = self.header_block()? else {
                let is_complete = preface.length == 0;
                let problem = Problem::NothingExtended;
                return if is_complete { Ok(None) } else { Err(self.format(problem)) };
            };
            let header = Header::new(&block).map_err(|problem| self.format(problem))?;
            match header.type_byte() {
                b'x' | b'X' => {
                    let text = self.extended_header(&header, &mut preface)?;
                    self.check(preface.extended.read(&text))?;
                }
                b'g' => {
                    let text = self.extended_header(&header, &mut Preface::default())?;
                    self.read_global(&text)?;
                }
                b'L' => preface.name = Some(self.long_name(&header, &mut preface)?),
                b'K' => preface.link = Some(self.long_name(&header, &mut preface)?),
                // The name of the volume, which is no file.
                b'V' => {}
                _ => return self.entry(&header, preface).map(Some),
            }
        }
    }

    /// The next bytes of the entry's data, as many as there are at hand; none at its end.
    ///
    /// # Errors
    /// The archive ends before, or its bytes cannot be had.
    pub fn data(&mut self) -> Result<&[u8], Error> {
        if self.remaining == 0 {
            return Ok(&[]);
        }
        let bytes = self.source.fill_buf()?;
        if bytes.is_empty() {
            return Err(Error::Format { at: self.at, problem: Problem::Truncated });
        }
        let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        Ok(&bytes[..bytes.len().min(wanted)])
    }

    /// Says that this many bytes that [`Reader::data`] gave were used.
    pub fn consume(&mut self, count: usize) {
        self.source.consume(count);
        self.at += count as u64;
        self.remaining -= count as u64;
    }

    fn skip_rest(&mut self) -> Result<(), Error> {
        loop {
            let count = self.data()?.len();
            if count == 0 {
                break;
            }
            self.consume(count);
        }
        self.skip_padding()
    }

    /// The zeros after the data. At the end of the archive they may be missing: `umoci insert`
    /// writes neither them nor the two empty blocks.
    fn skip_padding(&mut self) -> Result<(), Error> {
        while self.padding > 0 {
            let count = self.source.fill_buf()?.len();
            let count = count.min(usize::try_from(self.padding).unwrap_or(usize::MAX));
            if count == 0 {
                self.padding = 0;
                return Ok(());
            }
            self.source.consume(count);
            self.at += count as u64;
            self.padding -= count as u64;
        }
        Ok(())
    }

    /// The next header, or `None` at the end of the archive.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        if self.ended {
            return Ok(None);
        }
        let block = self.block()?.filter(|block| *block != [0; BLOCK]);
        if block.is_none() {
            // Two blocks of zeros, or the end of the stream, with which some programs make do.
            if self.block()?.is_some_and(|block| block != [0; BLOCK]) {
                return Err(self.format(Problem::LoneZeroBlock));
            }
            self.drain()?;
            self.ended = true;
        }
        Ok(block)
    }

    /// A block, or `None` if the stream ends before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let bytes = self.source.fill_buf()?;
            if bytes.is_empty() {
                let nothing = filled == 0;
                return if nothing { Ok(None) } else { Err(self.format(Problem::Truncated)) };
            }
            let count = bytes.len().min(BLOCK - filled);
            block[filled..filled + count].copy_from_slice(&bytes[..count]);
            self.source.consume(count);
            self.at += count as u64;
            filled += count;
        }
        Ok(Some(block))
    }

    /// Tar fills its last record with zeros, and whoever computes a digest wants them read.
    fn drain(&mut self) -> Result<(), Error> {
        loop {
            let count = self.source.fill_buf()?.len();
            if count == 0 {
                return Ok(());
            }
            self.source.consume(count);
            self.at += count as u64;
        }
    }

    fn extended_header(
        &mut self,
        header: &Header<'_>,
        preface: &mut Preface,
    ) -> Result<Vec<u8>, Error> {
        let size = self.check(header.size())?;
        // At least 1, so that an empty one is noticed, too, if nothing follows it.
        preface.length += size.max(1);
        if preface.length > MOST_EXTENDED {
            return Err(self.format(Problem::ExtendedHeaderSize(preface.length)));
        }
        self.expect_data(size);
        let mut text = Vec::new();
        loop {
            let bytes = self.data()?;
            let count = bytes.len();
            if count == 0 {
                return Ok(text);
            }
            text.extend_from_slice(bytes);
            self.consume(count);
        }
    }

    fn long_name(&mut self, header: &Header<'_>, preface: &mut Preface) -> Result<Vec<u8>, Error> {
        let text = self.extended_header(header, preface)?;
        Ok(header::text(&text).to_vec())
    }

    fn read_global(&mut self, text: &[u8]) -> Result<(), Error> {
        let result = self.global.read(text);
        // About all files at once these make no sense, and they could be made to grow for ever.
        self.global.attributes.clear();
        self.global.sparse = super::pax::Sparse::default();
        self.check(result)
    }

    fn entry(&mut self, header: &Header<'_>, preface: Preface) -> Result<Entry, Error> {
        let extended = preface.extended.over(&self.global);
        let stored = extended.size.map_or_else(|| header.size(), Ok);
        let stored = self.check(stored)?;
        let written_name = extended.path.clone().or(preface.name).unwrap_or_else(|| header.name());
        let link = extended.link.clone().or(preface.link).unwrap_or_else(|| header.link().to_vec());
        let kind = self.check(kind(header, &written_name, link))?;
        let (size, fragments) = match kind {
            Kind::Regular => {
                self.expect_data(stored);
                self.sparse(header, &extended, stored)?
            }
            // Whatever the field says: programs leave the size of the file there.
            _ => (0, None),
        };
        let name = extended.sparse.name.as_ref().unwrap_or(&written_name);
        Ok(Entry {
            name: self.check(Name::new(name))?,
            kind,
            mode: self.check(header.mode())?,
            user: self.check(owner(extended.user, || header.user(), "uid"))?,
            group: self.check(owner(extended.group, || header.group(), "gid"))?,
            modified: self.check(extended.modified.map_or_else(|| header.modified(), Ok))?,
            accessed: extended.accessed,
            size,
            fragments,
            attributes: extended.attributes,
        })
    }

    /// The size of a file and, if it is sparse, which parts of it follow.
    fn sparse(
        &mut self,
        header: &Header<'_>,
        extended: &Extended,
        stored: u64,
    ) -> Result<(u64, Option<Vec<Fragment>>), Error> {
        let real_size = extended.sparse.size;
        let (size, map) = if header.type_byte() == b'S' {
            let (map, size) = self.gnu_map(header)?;
            (real_size.unwrap_or(size), map)
        } else if extended.sparse.map_is_in_data {
            (real_size.ok_or(self.format(Problem::SparseMap))?, self.map_in_data()?)
        } else if let Some(map) = &extended.sparse.map {
            (real_size.ok_or(self.format(Problem::SparseMap))?, map.clone())
        } else {
            return Ok((stored, None));
        };
        if !sparse::fits(&map, size, self.remaining) {
            return Err(self.format(Problem::SparseMap));
        }
        Ok((size, Some(map)))
    }

    /// The map of an old GNU header, which may go on in blocks that are not counted as data.
    fn gnu_map(&mut self, header: &Header<'_>) -> Result<(Vec<Fragment>, u64), Error> {
        let (fields, mut goes_on, size) = self.check(header.gnu_sparse())?;
        let mut map = Vec::new();
        self.check(sparse::from_fields(&mut map, fields))?;
        while goes_on {
            let block = self.block()?.ok_or_else(|| self.format(Problem::Truncated))?;
            self.check(sparse::from_fields(&mut map, &block[..504]))?;
            goes_on = block[504] != 0;
        }
        Ok((map, size))
    }

    fn map_in_data(&mut self) -> Result<Vec<Fragment>, Error> {
        let mut lines = Lines::default();
        loop {
            if self.remaining < BLOCK as u64 {
                return Err(self.format(Problem::SparseMap));
            }
            let block = self.block()?.ok_or_else(|| self.format(Problem::Truncated))?;
            self.remaining -= BLOCK as u64;
            if let Some(map) = self.check(lines.read(&block))? {
                return Ok(map);
            }
        }
    }

    fn expect_data(&mut self, size: u64) {
        self.remaining = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn check<T>(&self, result: Result<T, Problem>) -> Result<T, Error> {
        result.map_err(|problem| self.format(problem))
    }

    fn format(&self, problem: Problem) -> Error {
        Error::Format { at: self.at, problem }
    }
}

fn kind(header: &Header<'_>, name: &[u8], link: Vec<u8>) -> Result<Kind, Problem> {
    Ok(match header.type_byte() {
        // Before POSIX a folder was a file whose name ends so.
        0 | b'0' | b'7' if name.ends_with(b"/") => Kind::Folder,
        0 | b'0' | b'7' | b'S' => Kind::Regular,
        b'1' => Kind::HardLink(Name::new(&link)?),
        b'2' if link.contains(&0) || link.is_empty() => {
            return Err(Problem::Name(shown(&link), "a symbolic link cannot have this target"));
        }
        b'2' => Kind::SymbolicLink(link),
        b'3' => header.device().map(|(major, minor)| Kind::CharacterDevice(major, minor))?,
        b'4' => header.device().map(|(major, minor)| Kind::BlockDevice(major, minor))?,
        b'5' => Kind::Folder,
        b'6' => Kind::Fifo,
        unknown => return Err(Problem::Type(char::from(unknown))),
    })
}

/// The number of a user or group. The largest means "leave it" to the kernel, so nobody has it.
fn owner(
    extended: Option<u64>,
    header: impl FnOnce() -> Result<u64, Problem>,
    what: &'static str,
) -> Result<u32, Problem> {
    let number = extended.map_or_else(header, Ok)?;
    u32::try_from(number).ok().filter(|it| *it != u32::MAX).ok_or(Problem::Number(what))
}
