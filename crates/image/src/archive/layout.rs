//! The OCI image layout: `index.json`, and blobs under their digests.

use super::files::{Files, document};
use super::{Error, Packed};
use crate::pull::Machine;
use crate::reference::Reference;
use serde::de::DeserializeOwned;
use spec::image::{Descriptor, Digest, Index};
use std::collections::BTreeMap;

/// What an image is called, as image-spec has it: often the tag alone.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What an image is called, as containerd and Docker have it: in full.
pub(super) const IMAGE_NAME: &str = "io.containerd.image.name";

/// Indexes that lead to indexes: deeper ones are a trap.
const DEEPEST: usize = 4;

/// Where a blob is.
pub(super) fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// The images of the layout. An image that has several names is one.
pub(super) fn images(files: &dyn Files, machine: &Machine) -> Result<Vec<Packed>, Error> {
    let index: Index = read("index.json", &document(files, "index.json")?)?;
    let mut images: Vec<Packed> = Vec::new();
    for top in &index.manifests {
        let Some(mut image) = image(files, top, machine, 0)? else { continue };
        match images.iter_mut().find(|known| known.manifest == image.manifest) {
            Some(known) => {
                known.names.append(&mut image.names);
                known.label = known.label.take().or(image.label);
            }
            None => images.push(image),
        }
    }
    if images.is_empty() && !index.manifests.is_empty() {
        return Err(Error::NoPlatform { machine: machine.to_string() });
    }
    Ok(images)
}

/// The image behind a descriptor, if one is there for the machine.
fn image(
    files: &dyn Files,
    top: &Descriptor,
    machine: &Machine,
    depth: usize,
) -> Result<Option<Packed>, Error> {
    if depth == DEEPEST {
        return Err(Error::TooDeep(top.digest.to_string()));
    }
    let (names, label) = names(top);
    if top.media_type.is_manifest() {
        let manifest = document(files, &path(&top.digest))?;
        let media_type = top.media_type.clone();
        let paths = BTreeMap::new();
        return Ok(Some(Packed { names, label, manifest, media_type, index: None, paths }));
    }
    if !top.media_type.is_index() {
        return Ok(None);
    }
    let bytes = document(files, &path(&top.digest))?;
    let index: Index = read(&path(&top.digest), &bytes)?;
    let Some(chosen) = machine.choose(&index.manifests) else { return Ok(None) };
    let inner = image(files, chosen, machine, depth + 1)?;
    Ok(inner.map(|inner| Packed { names, label, index: Some(bytes), ..inner }))
}

/// What the annotations call it. A name that does not say in which repository is only a label.
fn names(descriptor: &Descriptor) -> (Vec<Reference>, Option<String>) {
    let annotation = |key: &str| descriptor.annotations.get(key);
    let full = annotation(IMAGE_NAME).and_then(|name| name.parse().ok());
    let label = annotation(REF_NAME);
    let named = || label.filter(|it| it.contains([':', '/'])).and_then(|name| name.parse().ok());
    (full.or_else(named).into_iter().collect(), label.cloned())
}

pub(super) fn read<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json { path: path.to_owned(), source })
}
