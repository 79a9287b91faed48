//! Where a short name is looked for.

use super::grammar;
use super::{DOCKER_HUB, Reference, ReferenceError};

/// Places in which a name without a registry is tried, in order, and names that stand for one
/// certain image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchList {
    places: Vec<Place>,
    aliases: Vec<(String, String)>,
}

/// A registry, and a folder of it that ends with a slash or is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    registry: String,
    prefix: String,
}

impl Default for SearchList {
    /// Docker Hub alone, as Docker has it.
    fn default() -> SearchList {
        let hub = Place { registry: DOCKER_HUB.to_owned(), prefix: String::new() };
        SearchList { places: vec![hub], aliases: Vec::new() }
    }
}

impl SearchList {
    /// A list of registries, each with or without folders: `quay.io`, `registry.local:5000/team`.
    /// Docker Hub's `library` needs not be said: `docker.io` and `docker.io/library` are the same,
    /// and `user/app` is there without it.
    ///
    /// # Errors
    /// An entry that the grammar does not allow.
    pub fn new<'a>(
        entries: impl IntoIterator<Item = &'a str>,
    ) -> Result<SearchList, ReferenceError> {
        let places = entries.into_iter().map(Place::parse).collect::<Result<_, _>>()?;
        Ok(SearchList { places, aliases: Vec::new() })
    }

    /// Short names that mean one certain image: `("fedora", "registry.fedoraproject.org/fedora")`.
    #[must_use]
    pub fn with_aliases(
        mut self,
        aliases: impl IntoIterator<Item = (String, String)>,
    ) -> SearchList {
        self.aliases.extend(aliases);
        self
    }

    /// What the name may mean, the most likely first; exactly one if it names a registry.
    ///
    /// # Errors
    /// No name by the grammar, or a short one while the list is empty.
    pub fn candidates(&self, text: &str) -> Result<Vec<Reference>, ReferenceError> {
        let parts = grammar::split(text)?;
        if let Some(registry) = parts.registry {
            return Ok(vec![parts.reference(registry, "")]);
        }
        let end = text.find(['@', ':']).unwrap_or(text.len());
        if let Some((_, image)) = self.aliases.iter().find(|(short, _)| *short == text[..end]) {
            return Ok(vec![format!("{image}{}", &text[end..]).parse()?]);
        }
        if self.places.is_empty() {
            return Err(ReferenceError::NoSearchList { name: text.to_owned() });
        }
        let candidate = |place: &Place| parts.reference(&place.registry, &place.prefix);
        Ok(self.places.iter().map(candidate).collect())
    }
}

impl Place {
    fn parse(entry: &str) -> Result<Place, ReferenceError> {
        let (registry, path) = entry.split_once('/').unwrap_or((entry, ""));
        grammar::check_registry(entry, registry)?;
        if path.is_empty() || (registry == DOCKER_HUB && path == "library") {
            return Ok(Place { registry: registry.to_owned(), prefix: String::new() });
        }
        grammar::check_path(path)?;
        Ok(Place { registry: registry.to_owned(), prefix: format!("{path}/") })
    }
}
