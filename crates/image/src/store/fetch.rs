//! One blob or layer comes in.

use super::add::{AddOptions, Adding, Part};
use super::document::LONGEST;
use super::lock::{Lock, Purpose};
use super::origin::{Event, Origin, OriginError};
use super::{Error, Incoming, Kind, Store, database, now};
use crate::Hasher;
use crate::flow::Limits;
use crate::input::FileReader;
use crate::tar::Name;
use crate::unpack::{self, Expected, Options, Owners, Unpacked};
use kernel::path::Root;
use rusqlite::params;
use spec::image::{Algorithm, Descriptor, Digest};
use std::io::{self, Read};
use std::thread;

impl Adding<'_> {
    /// A layer, with the blob that it is in. Everybody takes the locks in this order.
    pub(super) fn layer(&self, part: &Part) -> Result<(), Error> {
        let digest = &part.blob.digest;
        let waiting = || self.tell_waiting(&part.blob);
        let layer = self.store.claim(Kind::Layer, &part.diff_id, waiting)?;
        let blob = self.store.claim(Kind::Blob, digest, waiting)?;
        match (&layer.making, &blob.making) {
            (None, None) => self.progress.tell(Event::Exists(digest)),
            (None, Some(_)) => self.receive(&part.blob, self.origin)?,
            (Some(_), None) => self.unpack_blob(part)?,
            (Some(_), Some(_)) => self.receive_and_unpack(part)?,
        }
        self.hold(layer.using);
        self.hold(blob.using);
        self.progress.tell(Event::Done(digest));
        Ok(())
    }

    /// A small blob, which is also returned.
    pub(super) fn document(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        self.blob(blob, self.origin)?;
        let file = self.store.layout.open_blob(&blob.digest)?;
        let mut bytes = Vec::new();
        let read = FileReader::new(file).take(LONGEST).read_to_end(&mut bytes);
        read.map_err(|error| Error::Blob(blob.digest.clone(), error))?;
        Ok(bytes)
    }

    /// A blob that is not unpacked.
    pub(super) fn blob(&self, blob: &Descriptor, origin: &dyn Origin) -> Result<(), Error> {
        let claim = self.store.claim(Kind::Blob, &blob.digest, || ())?;
        if claim.making.is_some() {
            self.receive(blob, origin)?;
        }
        self.hold(claim.using);
        Ok(())
    }

    fn receive(&self, blob: &Descriptor, origin: &dyn Origin) -> Result<(), Error> {
        let (incoming, ()) = self.arrive(blob, origin, |reader| {
            let found = hash(blob.digest.algorithm(), reader);
            let found = found.map_err(|error| Error::Blob(blob.digest.clone(), error))?;
            let expected = blob.digest.clone();
            if found == expected { Ok(()) } else { Err(Error::Digest { expected, found }) }
        })?;
        let synced = incoming.sync().map_err(|error| Error::Blob(blob.digest.clone(), error));
        self.trust(&blob.digest, synced)?;
        self.store.put_blob(&blob.digest)?;
        self.store.record(Some(blob), None)
    }

    fn receive_and_unpack(&self, part: &Part) -> Result<(), Error> {
        let disk = self.store.layout.disk()?;
        let wrote = |bytes| self.write_back.add(bytes);
        let arrived = self.arrive(&part.blob, self.origin, |reader| {
            self.store.unpack_from(part, reader, self.options.limits, &wrote)
        });
        self.progress.tell(Event::Syncs(&part.blob.digest));
        // With the files of the layer, one call for all; and if it did not come, what did is known
        // to be there.
        let synced = self.trust(&part.blob.digest, disk.sync());
        let (_, unpacked) = arrived?;
        synced?;
        self.store.put_blob(&part.blob.digest)?;
        self.store.put_layer(&part.diff_id)?;
        self.store.record(Some(&part.blob), Some((part, &unpacked)))
    }

    /// Nobody may go on with a blob that the disk has lost something of: the kernel has it in memory
    /// for a while, says that all is well, and then forgets it.
    fn trust(&self, digest: &Digest, synced: Result<(), Error>) -> Result<(), Error> {
        if synced.is_err() {
            self.store.layout.remove_incoming(digest)?;
        }
        synced
    }

    /// A layer whose blob is here. If that turns out to be damaged, it is got again.
    fn unpack_blob(&self, part: &Part) -> Result<(), Error> {
        let digest = &part.blob.digest;
        let disk = self.store.layout.disk()?;
        let wrote = |bytes| self.write_back.add(bytes);
        let unpacked = match self.store.unpack_part(part, self.options.limits, &wrote) {
            Err(error) if error.is_other_bytes() => {
                let waiting = &mut || self.tell_waiting(&part.blob);
                let _making = self.store.discard_blob(digest, waiting)?;
                return self.receive_and_unpack(part);
            }
            result => result?,
        };
        self.progress.tell(Event::Syncs(digest));
        disk.sync()?;
        self.store.put_layer(&part.diff_id)?;
        self.store.record(None, Some((part, &unpacked)))
    }

    /// Lets the origin write a blob, and `consume` read it meanwhile. What a killed process left
    /// is gone on with; if the whole then is not what it should be, it is tried once more from
    /// the beginning.
    fn arrive<'a, T>(
        &'a self,
        blob: &'a Descriptor,
        origin: &dyn Origin,
        consume: impl Fn(&mut (dyn Read + Send)) -> Result<T, Error>,
    ) -> Result<(Incoming<'a>, T), Error> {
        let incoming = self.incoming(blob)?;
        let is_resumed = incoming.received() > 0;
        match self.both(&incoming, blob, origin, &consume) {
            Err(error) if is_resumed && error.is_other_bytes() => {
                self.store.layout.remove_incoming(&blob.digest)?;
                let incoming = self.incoming(blob)?;
                self.both(&incoming, blob, origin, &consume).map(|result| (incoming, result))
            }
            result => result.map(|result| (incoming, result)),
        }
    }

    fn incoming<'a>(&'a self, blob: &'a Descriptor) -> Result<Incoming<'a>, Error> {
        let file = self.store.layout.open_incoming(&blob.digest)?;
        Incoming::new(file, blob, self.progress, &self.failed, &self.write_back)
            .map_err(|error| Error::Blob(blob.digest.clone(), error))
    }

    fn tell_waiting(&self, blob: &Descriptor) {
        let received = self.store.layout.incoming_size(&blob.digest);
        self.progress.tell(Event::Waits(&blob.digest, received.min(blob.size)));
    }

    /// The origin writes in a thread of its own, `consume` reads in this one.
    fn both<T>(
        &self,
        incoming: &Incoming<'_>,
        blob: &Descriptor,
        origin: &dyn Origin,
        consume: &dyn Fn(&mut (dyn Read + Send)) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (fetched, consumed) = thread::scope(|scope| {
            let fetch = || {
                let result = origin.fetch(blob, incoming);
                incoming.end();
                result
            };
            let thread = thread::Builder::new().name("fetch".to_owned());
            let thread = thread.spawn_scoped(scope, fetch).map_err(Error::Thread)?;
            let consumed = consume(&mut incoming.reader());
            if consumed.is_err() {
                incoming.stop();
            }
            let fetched = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, Error>((fetched, consumed))
        })?;
        match consumed {
            Ok(result) => {
                incoming.trim().map_err(|error| Error::Blob(blob.digest.clone(), error))?;
                Ok(result)
            }
            Err(error) if error.is_cut_off() => Err(self.why_short(incoming, blob, fetched)),
            Err(error) => {
                if error.is_bad_content() {
                    self.store.layout.remove_incoming(&blob.digest)?;
                }
                Err(error)
            }
        }
    }

    fn why_short(
        &self,
        incoming: &Incoming<'_>,
        blob: &Descriptor,
        fetched: Result<(), OriginError>,
    ) -> Error {
        let digest = blob.digest.clone();
        match fetched {
            Err(_) if self.has_failed() => Error::Interrupted,
            Err(source) => Error::Origin { digest, source },
            Ok(()) => Error::Short { digest, received: incoming.received(), size: blob.size },
        }
    }
}

fn hash(algorithm: Algorithm, reader: &mut dyn Read) -> io::Result<Digest> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

impl Store {
    /// Gets a blob that is here, but not as it should be.
    pub(super) fn replace_blob(&self, blob: &Descriptor, origin: &dyn Origin) -> Result<(), Error> {
        let options = AddOptions::default();
        let adding = Adding::new(self, origin, &options, &());
        let _making = self.discard_blob(&blob.digest, &mut || ())?;
        adding.receive(blob, origin)
    }

    /// Throws a blob away that is not as it should be. Its row stays: it is made again while the
    /// lock is held.
    fn discard_blob(&self, digest: &Digest, waiting: &mut dyn FnMut()) -> Result<Lock, Error> {
        let making = Lock::take(&self.layout, Kind::Blob, digest, Purpose::Make, waiting)?;
        let folder = self.layout.folder(Kind::Blob, digest.algorithm());
        self.layout.discard(folder, digest.hex())?;
        Ok(making)
    }

    /// What a blob hashes to now.
    pub(super) fn hash_blob(&self, digest: &Digest) -> Result<Digest, Error> {
        let mut reader = FileReader::new(self.layout.open_blob(digest)?);
        hash(digest.algorithm(), &mut reader).map_err(|error| Error::Blob(digest.clone(), error))
    }

    /// Unpacks a layer whose blob is here. The lock for making it must be held.
    pub(super) fn unpack_part(
        &self,
        part: &Part,
        limits: Limits,
        wrote: &(dyn Fn(u64) + Sync),
    ) -> Result<Unpacked, Error> {
        self.unpack_blob(part, &part.diff_id, self.owners.clone(), limits, wrote)
    }

    /// The same, where files become these owners', into the folder of this name.
    pub(super) fn unpack_blob(
        &self,
        part: &Part,
        name: &Digest,
        owners: Owners,
        limits: Limits,
        wrote: &(dyn Fn(u64) + Sync),
    ) -> Result<Unpacked, Error> {
        let mut blob = FileReader::new(self.layout.open_blob(&part.blob.digest)?);
        self.unpack_as((part, name), &mut blob, owners, limits, wrote)
    }

    fn unpack_from(
        &self,
        part: &Part,
        reader: &mut (dyn Read + Send),
        limits: Limits,
        wrote: &(dyn Fn(u64) + Sync),
    ) -> Result<Unpacked, Error> {
        self.unpack_as((part, &part.diff_id), reader, self.owners.clone(), limits, wrote)
    }

    fn unpack_as(
        &self,
        (part, name): (&Part, &Digest),
        reader: &mut (dyn Read + Send),
        owners: Owners,
        limits: Limits,
        wrote: &(dyn Fn(u64) + Sync),
    ) -> Result<Unpacked, Error> {
        let expected = Expected { digest: &part.blob.digest, diff_id: &part.diff_id };
        let root = self.unpacking(name)?;
        let turns = self.turns.clone();
        let options = Options { marks: self.marks, owners, limits, turns };
        match unpack::unpack(reader, expected, &root, &options, wrote) {
            Ok(passed) => Ok(passed.result),
            Err(source) => {
                // Nobody goes on with half a layer, and the disk may be full of it.
                self.layout.discard(self.layout.unpacking(), name.as_str())?;
                Err(Error::Unpack { digest: part.blob.digest.clone(), source })
            }
        }
    }

    /// An empty folder to unpack a layer into. What a killed process left there goes.
    fn unpacking(&self, diff_id: &Digest) -> Result<Root, Error> {
        Ok(Root::from_descriptor(self.layout.make_unpacking(diff_id)?))
    }

    fn put_blob(&self, digest: &Digest) -> Result<(), Error> {
        self.layout.put(self.layout.incoming(), digest.as_str(), Kind::Blob, digest)
    }

    fn put_layer(&self, diff_id: &Digest) -> Result<(), Error> {
        self.layout.put(self.layout.unpacking(), diff_id.as_str(), Kind::Layer, diff_id)
    }

    /// Says that a blob, or a layer, or both are there.
    fn record(
        &self,
        blob: Option<&Descriptor>,
        layer: Option<(&Part, &Unpacked)>,
    ) -> Result<(), Error> {
        let mut database = self.database();
        let transaction = database::begin(&mut database)?;
        if let Some(blob) = blob {
            transaction.execute(
                "INSERT INTO blobs VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![blob.digest.as_str(), blob.size, now()],
            )?;
        }
        if let Some((part, unpacked)) = layer {
            let implied: Vec<_> = unpacked.implied.iter().map(Name::as_bytes).collect();
            transaction.execute(
                "INSERT INTO layers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (diff_id) DO UPDATE SET blob = excluded.blob",
                params![
                    part.diff_id.as_str(),
                    part.blob.digest.as_str(),
                    unpacked.bytes,
                    unpacked.entries,
                    unpacked.hides_all_below,
                    serde_json::to_string(&implied).unwrap_or_default(),
                    now()
                ],
            )?;
        }
        Ok(transaction.commit()?)
    }
}
