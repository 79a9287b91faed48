//! An object whose names are the user's own.

use super::object::{next_field, next_name};
use super::{Text, Value};
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// Values by name, such as annotations; ordered by name. A sorted list, since there are few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map<'a, T>(Vec<(Text<'a>, T)>);

impl<T> Default for Map<'_, T> {
    fn default() -> Self {
        Map(Vec::new())
    }
}

impl<'a, T> Map<'a, T> {
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.find(name).ok().map(|index| &self.0[index].1)
    }

    /// Sets the value of this name.
    pub fn insert(&mut self, name: impl Into<Text<'a>>, value: T) {
        let name = name.into();
        match self.find(&name) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.0.insert(index, (name, value)),
        }
    }

    /// All names and values, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text<'a>, &T)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

impl<'a, N: Into<Text<'a>>, T> FromIterator<(N, T)> for Map<'a, T> {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(items: I) -> Self {
        let mut map = Map::default();
        for (name, value) in items {
            map.insert(name, value);
        }
        map
    }
}

impl<'de, T: Value<'de>> Value<'de> for Map<'de, T> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

struct MapVisitor<T>(PhantomData<T>);

impl<'de, T: Value<'de>> Visitor<'de> for MapVisitor<T> {
    type Value = Map<'de, T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::default();
        while let Some(name) = next_name(&mut fields)? {
            if let Some(value) = next_field(&mut fields, &name)? {
                map.insert(name, value);
            }
        }
        Ok(map)
    }
}

impl<T: Serialize> Serialize for Map<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            fields.serialize_entry(name, value)?;
        }
        fields.end()
    }
}
